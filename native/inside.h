#ifndef INSIDE_H
#define INSIDE_H

#include "plan.h"
#include "berth.h"
#include "steps.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* What the first process of a cell tells its keeper, one per packet. */
enum message_kind {
	MESSAGE_FAILED = 1,	/* step, error */
	MESSAGE_STARTED,	/* landlock; with HANDED_OVER descriptors */
	MESSAGE_ENDED,		/* wait_status, cpu_us */
	MESSAGE_READY,		/* landlock; a berth's, with descriptors */
	MESSAGE_CHILD,		/* pid, wait_status, cpu_us: of a zygote's child */
};

/* What a cell is for, as a set; most have a main process of their own. */
enum role {
	ROLE_CELL = 1,
	ROLE_ZYGOTE = 2,	/* zygote.h */
	ROLE_BERTH = 4,		/* berth.h */
	ROLES_MAIN = ROLE_CELL | ROLE_ZYGOTE,
	ROLES_ALL = ROLES_MAIN | ROLE_BERTH,
};

static inline enum role role_of(const struct plan *plan)
{
	return plan->is_zygote ? ROLE_ZYGOTE :
	       plan->berth_socket != NULL ? ROLE_BERTH : ROLE_CELL;
}

/* How long the first process may take to end a cell without namespaces. */
#define INSIDE_ENDING_NS UINT64_C(2000000000)

/*
 * With MESSAGE_STARTED: the listener, a pidfd of main, the root of /tmp; then,
 * where there are such, the listener for the proxy, and what is mounted at
 * /run of a parked cell, to be written to.
 */
#define HANDED_OVER 12
#define HANDED_OVER_LEAST 3
#define HANDED_OVER_REST (HANDED_OVER - HANDED_OVER_LEAST)
/*
 * With a zygote's: its process namespace, a pidfd of main, its user namespace.
 * With MESSAGE_READY: the root of /tmp, what is mounted at /run, the
 * namespaces of berth.h, and Landlock's ruleset if there is one.
 */

struct message {
	uint32_t kind;
	uint32_t step;
	int32_t error;
	int32_t wait_status;
	int32_t landlock;	/* ABI version; 0: the kernel has none */
	int32_t pid;
	uint64_t cpu_us;
};

/*
 * Memory that the first process and the main process share until the main
 * process becomes the program: then it has no such memory any more, so all
 * that is here was written by this source.
 */
struct shared {
	_Atomic int listener;	/* descriptor, in both; -1: none */
	_Atomic int is_confined;	/* main is about to become the program */
	_Atomic int landlock;
	_Atomic unsigned int step;
	_Atomic int error;	/* 0: nothing has failed */
};

/* One cell as its inside sees it. */
struct inside {
	struct plan *plan;
	uid_t uid;		/* and gid */
	uid_t outer_uid, outer_gid;	/* B: what they are on the host */
	uint64_t tasks;		/* D: of this user, outside of the cell */
	const char *place;	/* C: the slot; D: the run's folder */
	int link;		/* to the keeper */
	int stdio[3];		/* the ends that the program gets */
	int root;		/* the mounted root */
	int tmp, dev, run;	/* the folders in it */
	int tmp_tree;		/* what is mounted at the first, or is /tmp */
	int proc;		/* the same, when the plan has it */
	int shm_tree;		/* for /dev/shm; of the same file system */
	int proxy;		/* listener for it; -1: none */
	int park;		/* the program's end of its link; -1: none */
	int run_tree;		/* what is mounted at /run; -1: not wanted */
	int root_tree;		/* a berth's in A: the root, not yet mounted */
	int namespaces[BERTH_NAMESPACES];	/* a zygote's two, a berth's */
	int ruleset;		/* a berth's; -1: none */
	int oom_score;
	char own_score[16];	/* what it was, to have it again */
	size_t own_score_length;
	int main_pidfd;
	pid_t init_pid;
	pid_t main_pid;
	struct shared *shared;
};

typedef int step_function(struct inside *inside);

/* A step and what does it; the function returns 0, or -1 and errno. */
struct step_row {
	enum step step;
	step_function *run;
	unsigned int tiers;	/* in which it is taken: TIERS() */
	unsigned int roles;	/* for which */
};

static inline bool is_taken(const struct step_row *row, const struct plan *plan)
{
	return (row->tiers & TIERS(plan->tier)) != 0 &&
	       (row->roles & role_of(plan)) != 0;
}

/* Character devices of major 1. */
struct device {
	const char *name;
	unsigned int minor;
};

#define INSIDE_DEVICES 5
extern const struct device inside_devices[INSIDE_DEVICES];

/* The life of the first process; the sources below have its parts. */
_Noreturn void init_live(struct inside *inside);

/* supervisor.c: a packet to the keeper; who has none has nobody to live for. */
void inside_tell(int link, const struct message *message,
		 const int *descriptors, size_t count);
/* The keeper answers by killing the whole cell. */
_Noreturn void inside_fail(int link, enum step step, int error);
/* Reaps whatever dies, until the keeper kills this process or is gone. */
_Noreturn void supervisor_live(const struct inside *inside);

/* namespaces.c: who is who in a cell, and who may look. */
step_function namespaces_become_own_root, namespaces_open,
	namespaces_open_to_itself, namespaces_close_to_others,
	namespaces_map_users, namespaces_leave_cgroup_namespace;

/* A root as a mount that is nowhere yet, read-only; -1 and errno. */
int root_prepare_tree(int folder);

/* Writes the plan's program into the folder `program` of `folder`. */
int root_write_program(int folder, const struct plan *plan);
/* Removes it from there.  0, or -1 and errno. */
int root_remove_program(int folder, const struct plan *plan);

step_function root_make_private, root_attach, root_attach_tree,
	root_open_tmp, root_open_dev, root_open_run, root_open_proc, root_mount_tmp, root_mount_dev,
	root_mount_run, root_mount_proc, root_pivot;

/* network.c: a listener for the proxy in the cell's own network. */
step_function network_listen;
/* resolver.c: how names are looked up in the host's network. */
step_function resolver_mount;
/* The same in the /etc of a slot, which is nobody else's; and its undoing. */
int resolver_place(int etc, const struct plan *plan);
int resolver_remove(int etc);

/* The main process, from its first instruction to the program's first. */
_Noreturn void guest_become_program(struct inside *inside);

/* Gives up every capability but those of a set. 0, or -1 and errno. */
int guest_keep_capabilities(uint32_t kept);

/* The newest Landlock ABI of this kernel; 0: none. */
int landlock_version(void);
/*
 * Forbids whatever a program in a cell has no need for.  Returns the ABI that
 * is in force, 0 if the kernel has no Landlock, or -1 and errno.
 */
int landlock_confine(const struct inside *inside);
/* The same as a descriptor, for whoever is to be confined: -1 and no error
 * where the kernel has no Landlock.  0, or -1 and errno. */
int landlock_prepare(const struct inside *inside, int *ruleset);
/*
 * A zygote: what it forks lives among other files, and is handed their rules;
 * of ports, and of what has a name in the network, it has no more than they.
 */
step_function landlock_confine_network;

#endif
