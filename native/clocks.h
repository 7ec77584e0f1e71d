#ifndef CLOCKS_H
#define CLOCKS_H

#include "keeper.h"

#include <time.h>

/* When the program begins. */
void clocks_start(struct keeper *keeper);
/* Ends the run when a limit of time, memory or disk is reached. */
void clocks_check(struct keeper *keeper);
/* Until the next check is due. */
struct timespec clocks_left(const struct keeper *keeper);

#endif
