#ifndef PROBE_H
#define PROBE_H

/*
 * Prints what this host lets a cell be, one line each: a name, `yes` or `no`,
 * and for `no` the errno; `landlock` and `cell` have a number.  Exit status.
 */
int probe_print(void);

#endif
