#ifndef BERTH_H
#define BERTH_H

#include "plan.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A berth (PLAN_BERTH): a parked cell whose program is forked by a zygote.  Its
 * first process makes everything but the program; its user namespace belongs
 * to the zygote's user, who may enter it therefore and has no other right.
 *
 * Its keeper's stdio are connections to a socket of its caller's, which begin
 * with the berth's id and a digit: 0 for stdin, 1 for stdout and the job, 2 for
 * stderr, 3 for status records.
 *
 * With the zygote, by packets: the keeper sends `struct berth_request`, with
 * descriptors, to the zygote.  A child of the zygote enters the namespaces and
 * forks the program, which says `E` on the berth's own link; the keeper puts it
 * into the control groups and answers with the filter; it confines itself and
 * says `L` with the filter's listener.  The keeper believes the kernel alone.
 */
#define BERTH_ID 32
/* The number of the program's end of that link while it has no listener yet. */
#define BERTH_HANDOVER 1000

enum berth_namespace {
	BERTH_USER,
	BERTH_MOUNT,
	BERTH_PID,
	BERTH_IPC,
	BERTH_UTS,
	BERTH_CGROUP,
	BERTH_NETWORK,	/* none in the host's, where the zygote is, too */
	BERTH_NAMESPACES
};

/*
 * With the namespaces in that order, stdin, stdout, stderr, the program's end
 * of the link, of the parked one (park.h), and Landlock's ruleset if any.
 */
struct berth_request {
	uint32_t uid;
	uint32_t open_files;	/* limits of the program, not of the zygote */
	uint32_t processes;
	uint32_t cpu_soft, cpu_hard;	/* seconds */
	uint32_t has_own_user;
	uint32_t has_ruleset;
	uint32_t namespaces;	/* how many come first */
};

struct berth {
	int zygote;		/* link to the zygote; -1: this is no berth */
	int desk;		/* to the zygote's keeper */
	int registry;
	uint32_t number;
	uid_t owner;		/* of its user namespace */
	int pid_namespace, user_namespace;	/* of the zygote */
	int link;		/* ours */
	int guest_link;		/* the program's; -1: handed over */
	int guest_park;
	int guest_stdio[3];
};

struct keeper;
struct message;

/* Connects stdio.  0, or -1 and errno. */
int berth_connect(const struct plan *plan);
/* The relays have their own: so the caller sees the end of each in time. */
int berth_release_stdio(void);
/* Goes where the berth's processes are to be.  0, or -1 and errno. */
int berth_enter(const struct berth *berth);
/*
 * Makes the first process, which does `live`, as a child of this one, in new
 * namespaces of which the user's belongs to the berth's owner.  Its number and
 * a pidfd; -1 and errno.
 */
pid_t berth_clone(const struct berth *berth, uint64_t flags, int *pidfd,
		 void (*live)(void));
/* After its first process was made: lets it live.  0, or -1 and errno. */
int berth_admit(const struct keeper *keeper, pid_t init);
int berth_open_links(struct berth *berth);
/* The first process is ready: asks the zygote for a program. */
void berth_ask(struct keeper *keeper, const int *descriptors);
void berth_hear_program(struct keeper *keeper);
/* How many namespaces whoever goes into a berth enters. */
size_t berth_namespaces(const struct plan *plan);
/* How the program ended, told by whoever reaped it. */
void berth_hear_desk(struct keeper *keeper);

#endif
