#ifndef INSIDE_H
#define INSIDE_H

#include "plan.h"
#include "steps.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* What the first process of a cell tells its keeper, one per packet. */
enum message_kind {
	MESSAGE_FAILED = 1,	/* step, error */
	MESSAGE_STARTED,	/* landlock; with HANDED_OVER descriptors */
	MESSAGE_ENDED,		/* wait_status, cpu_us */
};

/* With MESSAGE_STARTED: the listener, a pidfd of main, the root of /tmp. */
#define HANDED_OVER 3

struct message {
	uint32_t kind;
	uint32_t step;
	int32_t error;
	int32_t wait_status;
	int32_t landlock;	/* ABI version; 0: the kernel has none */
	uint32_t reserved;
	uint64_t cpu_us;
};

/*
 * Memory that the first process and the main process share until the main
 * process becomes the program: then it has no such memory any more, so all
 * that is here was written by this source.
 */
struct shared {
	_Atomic int listener;	/* descriptor, in both; -1: not yet */
	_Atomic int landlock;
	_Atomic unsigned int step;
	_Atomic int error;	/* 0: nothing has failed */
};

/* One cell as its inside sees it. */
struct inside {
	const struct plan *plan;
	uid_t uid;		/* and gid */
	int link;		/* to the keeper */
	int stdio[3];		/* the ends that the program gets */
	int root;		/* the mounted root */
	int tmp, dev, run;	/* the folders in it */
	int tmp_tree;		/* what is mounted at the first */
	int oom_score;
	char own_score[16];	/* what it was, to have it again */
	size_t own_score_length;
	int main_pidfd;
	pid_t main_pid;
	struct shared *shared;
};

typedef int step_function(struct inside *inside);

/* A step and what does it; the function returns 0, or -1 and errno. */
struct step_row {
	enum step step;
	step_function *run;
};

/* The life of the first process; root.c and guest.c have its parts. */
_Noreturn void init_live(struct inside *inside);

step_function root_make_private, root_attach, root_open_tmp, root_open_dev,
	root_open_run, root_mount_tmp, root_mount_dev, root_mount_run,
	root_pivot;

/* The main process, from its first instruction to the program's first. */
_Noreturn void guest_become_program(struct inside *inside);

/* Gives up every capability of this process. 0, or -1 and errno. */
int guest_clear_capabilities(void);

/* The newest Landlock ABI of this kernel; 0: none. */
int landlock_version(void);
/*
 * Forbids whatever a program in a cell has no need for.  Returns the ABI that
 * is in force, 0 if the kernel has no Landlock, or -1 and errno.
 */
int landlock_confine(bool executable_tmp);

#endif
