#ifndef IDENTITY_H
#define IDENTITY_H

#include "plan.h"

/*
 * Takes the first user id of the plan's range that no other cell on this
 * machine has, for as long as the descriptor that is put into `*lock` is
 * open.  0, or -1 and errno; EAGAIN: all are taken.
 */
int identity_take(const struct plan *plan, uint32_t *uid, int *lock);

#endif
