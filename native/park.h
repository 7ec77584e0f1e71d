#ifndef PARK_H
#define PARK_H

#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The descriptor for the job of a parked cell, and of its link in the cell. */
#define PARK_DESCRIPTOR 7

/*
 * A cell that is made before there is a program for it (PLAN_PARK).  The
 * plan's program prepares itself, writes one byte to descriptor 7, and reads
 * from it.  The keeper tells its caller by the record `parked`, and waits for
 * a job on its own descriptor 7, a stream socket: its length (u32), and a plan
 * in which only the program, arguments, variables and limits are looked at.
 * The job's program takes the place of the plan's in the cell; its words are
 * sent to the waiting one, in this machine's byte order:
 *
 *	u32 arguments, u32 variables, and so many strings, each with its NUL
 *
 * and then the end of the link.  Only now the run begins: its time, its
 * output and what it is denied count from here.
 *
 * A job that ends before its first byte ends the cell, as a cancelled run.
 * Where the waiting program ends, closes the link or says more, or never reads
 * its words, the step `exec` fails: there was no run.  So whoever reads records
 * without layers may have the same job done elsewhere.
 */
struct park {
	int guest;		/* our end of the link; -1: none, or ended */
	int job;		/* -1: none, or read to its end */
	int run;		/* /run of the cell, to be written to; kept, since
				 * to close it takes longer than a short run */
	bool is_ready;		/* somebody waits at the other end */
	bool has_job;
	size_t length;		/* bytes of the job that have come */
	int64_t processor;	/* ns that were used before the run */
	uint64_t main_processor;	/* of these, by main */
};

struct keeper;

/*
 * Makes the link, by packets for a zygote; `guest` is the program's end.  0, or
 * -1 and errno.
 */
int park_open(struct park *park, bool is_zygote, int *guest);
/* What can be heard of the waiting program and of its job. */
void park_hear_guest(struct keeper *keeper);
void park_hear_job(struct keeper *keeper);
/* Begins the run as soon as both are there. */
void park_begin(struct keeper *keeper);
/* Of a dead cell: whether its run ever began. */
void park_settle(struct keeper *keeper);
/* Whether there was no run, so that nobody wants what was printed. */
bool park_is_unused(const struct keeper *keeper);

#endif
