#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>

/*
 * Prints what this host lets a cell be, one line each: a name, `yes` or `no`,
 * and for `no` the errno; `landlock` and `cell` have a number.  Exit status.
 */
int probe_print(void);

/* Whether there is the feature of that name; an unknown one is not there. */
bool probe_has(const char *name);

#endif
