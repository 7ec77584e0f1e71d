#ifndef INPUTS_H
#define INPUTS_H

#include "plan.h"

#include <sys/types.h>

/*
 * Where the contents of the plan's files come from: one after another in the
 * order of their records, without anything between them, each as long as its
 * record says.
 */
#define INPUTS_DESCRIPTOR 6

/*
 * Makes the plan's files and folders beneath `tmp`, the root of a cell's
 * /tmp, as `owner`'s (uid and gid).  Nothing may run in the cell yet.
 * 0, or -1 and errno; ENODATA when the contents end too soon.
 */
int inputs_write(const struct plan *plan, int tmp, uid_t owner);

#endif
