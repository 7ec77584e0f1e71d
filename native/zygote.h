#ifndef ZYGOTE_H
#define ZYGOTE_H

#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A zygote (PLAN_ZYGOTE): a parked cell whose program never becomes anybody's
 * run.  It has imported what runs need, and forks programs into the cells that
 * other keepers make for them, its berths (berth.h).  It holds no privilege: its
 * imports are nobody's we know.
 *
 * On descriptor 7 its keeper gets a plan for each berth (PLAN_BERTH), with its
 * length before it (u32), and forks a keeper for it.  When that descriptor
 * ends, the zygote does, too; its cell only when no berth is left, since theirs
 * are inside of it.
 */
#define ZYGOTE_BERTHS 256
/* Processes that ended before their keeper told which one is its. */
#define ZYGOTE_ENDED 64

/* How a process of a berth ended. */
struct zygote_end {
	pid_t pid;		/* in the zygote's process namespace */
	int wait_status;
	uint64_t cpu_us;
};

struct zygote_berth {
	pid_t keeper;		/* 0: this row is free */
	int desk;		/* to that keeper */
	pid_t pid;		/* of its program, likewise; 0: not yet known */
};

struct zygote {
	int pid_namespace;
	int user_namespace;	/* -1: the keeper's own */
	int registry[2];	/* on which keepers tell their pids */
	bool is_closing;	/* no more berths */
	struct zygote_berth berths[ZYGOTE_BERTHS];
	struct zygote_end ended[ZYGOTE_ENDED];
	size_t ended_count;	/* of all; the last are kept */
};

/* What a keeper of a berth tells on the registry. */
struct zygote_entry {
	uint32_t berth;
	pid_t pid;
};

struct keeper;

void zygote_open(struct zygote *zygote);
/* Gets ready to hear of berths.  0, or -1 and errno. */
int zygote_prepare(struct keeper *keeper);
/* Plans for berths. */
void zygote_hear_job(struct keeper *keeper);
void zygote_hear_registry(struct keeper *keeper);
/* A process of a berth has ended, as its reaper says. */
void zygote_hear_end(struct keeper *keeper, const struct zygote_end *end);
/* Keepers of berths may have ended. */
void zygote_reap(struct keeper *keeper);
/* Ends the zygote itself. */
void zygote_stop(struct keeper *keeper);
/* The zygote itself has ended; its cell goes on as long as it has berths. */
void zygote_close(struct keeper *keeper);
/*
 * What a zygote, or a program that it has forked, has and must not have, since
 * other runs would have it too; NULL: nothing, or it is neither.
 */
const char *zygote_anomaly(const struct keeper *keeper);

#endif
