#ifndef KEEPER_H
#define KEEPER_H

#include "bridge.h"
#include "cgroup.h"
#include "denials.h"
#include "family.h"
#include "inside.h"
#include "park.h"
#include "place.h"
#include "relay.h"
#include "berth.h"
#include "steps.h"
#include "traces.h"
#include "zygote.h"

/* The descriptor for status records; the end of its reader ends the run. */
#define STATUS_DESCRIPTOR 4
/* The descriptor for files that the run leaves. */
#define OUTPUTS_DESCRIPTOR 5

enum cause {
	CAUSE_NONE,
	CAUSE_WALL,
	CAUSE_CPU,
	CAUSE_OUTPUT,
	CAUSE_DENIED,
	CAUSE_CANCELLED,
	CAUSE_MEMORY,	/* by the keeper's own measure */
	CAUSE_DISK,	/* likewise */
};

enum phase {
	PHASE_SETUP,	/* the program is not running yet */
	PHASE_PARKED,	/* something waits to become it: park.h */
	PHASE_RUNNING,
	PHASE_OVER,	/* ended, failed, or to be ended for `cause` */
};

/* The keeper's whole state; static, since two relays have their buffers. */
struct keeper {
	struct plan *plan;
	enum phase phase;
	enum cause cause;
	enum step failed_step;		/* STEP_NONE: nothing has failed */
	int failed_error;
	struct cgroup cgroup;		/* .plan NULL: there are none */
	struct place place;		/* tiers C and D */
	uint32_t uid;			/* of the program, on the host */
	uint64_t tasks;			/* D: of this user, before the cell */
	int uid_lock;
	int image_lock;			/* -1: there is none */
	int signals;			/* signalfd */
	short status_events;		/* POLLRDHUP for a socket */
	int link;			/* to the first process in the cell */
	int init_pidfd;			/* -1: there is no cell */
	pid_t init_pid;
	int main_pidfd;
	int listener;			/* seccomp; -1: none, or all dead */
	int tmp;			/* root of the cell's /tmp; -1: none */
	bool is_tmp_full;
	bool is_cell_dead;		/* there was one, and nothing runs in it */
	bool may_exec;			/* the one execve is still to come */
	bool has_ended;			/* `end` is valid */
	struct message end;
	int landlock;
	int survivors;
	bool is_cleanup_proven;
	struct denials denials;
	struct traces traces;
	struct park park;
	struct berth berth;
	struct zygote zygote;
	const char *anomaly;		/* of a zygote; NULL: none */
	uint64_t began;			/* ns, like all below */
	uint64_t started;
	uint64_t ended;
	uint64_t next_cpu_check;
	uint64_t next_watch;
	uint64_t next_disk_check;
	struct family_use peak;		/* without control groups */
	long processors;
	/* Last: most of them is buffers, which are never touched as a whole. */
	struct relay input, output, errors;
	struct bridge bridge;		/* to the proxy */
};

/* What the keeper waits for; a relay has two rows. */
enum row {
	ROW_LINK,
	ROW_LISTENER,
	ROW_SIGNALS,
	ROW_STATUS,
	ROW_PARK,
	ROW_JOB,
	ROW_BERTH,
	ROW_DESK,
	ROW_REGISTRY,
	ROW_INPUT,
	ROW_OUTPUT = ROW_INPUT + 2,
	ROW_ERRORS = ROW_OUTPUT + 2,
	ROW_BRIDGE = ROW_ERRORS + 2,
	ROWS = ROW_BRIDGE + BRIDGE_ROWS,
};

/*
 * start.c: makes the cell's first process, and what connects with it.  0, or
 * -1 and errno.
 */
int keeper_start(struct keeper *keeper);
/* keeper.c: ROWS rows, of which the first keeper_row_count() are in use. */
void keeper_fill_rows(const struct keeper *keeper, struct pollfd *rows);
nfds_t keeper_row_count(const struct keeper *keeper);
/* keeper.c: watches a cell until PHASE_OVER. */
void keeper_watch(struct keeper *keeper);
/* ending.c: kills the cell, proves it, and removes what was made for it. */
void keeper_clean_up(struct keeper *keeper);
/*
 * outputs.c: sends what the plan asks for of a dead cell's /tmp, and lets go
 * of it.  Nothing is sent of a run that failed or was cancelled, or while its
 * death is not proven.
 */
void outputs_send(struct keeper *keeper);
/* ending.c: removes what was made for a cell that has no mounts. */
void keeper_leave_place(struct keeper *keeper);
/* ending.c: passes on what is still in the pipes of a dead cell. */
void keeper_drain(struct keeper *keeper);
/* Notes the first failure and ends the run. */
void keeper_fail(struct keeper *keeper, enum step step, int error);
/* Notes the first cause, if any, and ends the run. */
void keeper_end(struct keeper *keeper, enum cause cause);
/* Notes how the program ended. */
void keeper_finish(struct keeper *keeper, const struct message *message);
/* cell.c: the whole life of a berth's keeper; the plan must outlive it. */
int keeper_live_as_berth(const struct berth *berth, const unsigned char *bytes,
			size_t length);

/* listener.c: answers one notification of a system call. */
void listener_answer(struct keeper *keeper);

/* report.c: writes the records of a whole run. */
void report_run(const struct keeper *keeper);

#endif
