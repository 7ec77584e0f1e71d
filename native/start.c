#define _GNU_SOURCE
#include "berth.h"
#include "inside.h"
#include "keeper.h"
#include "system.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | \
		    CLONE_NEWNET)

static const uint64_t namespaces[] = {
	[TIER_A] = NAMESPACES,
	[TIER_B] = NAMESPACES | CLONE_NEWUSER,
	[TIER_C] = 0,
	[TIER_D] = 0,
};

static struct inside inside;
static struct keeper *keeper;

/* The keeper's end of each is non-blocking, the program's is as usual. */
static int make_pipe(int *reader, int *writer, int *ours)
{
	int ends[2], flags;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*reader = ends[0];
	*writer = ends[1];
	flags = fcntl(*ours, F_GETFL);
	return flags < 0 ? -1 : fcntl(*ours, F_SETFL, flags | O_NONBLOCK);
}

static int make_pipes(int link[2])
{
	int in[2], out[2], err[2];

	if (make_pipe(&in[0], &in[1], &in[1]) < 0 ||
	    make_pipe(&out[0], &out[1], &out[0]) < 0 ||
	    make_pipe(&err[0], &err[1], &err[0]) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0)
		return -1;
	inside.stdio[0] = in[0];
	inside.stdio[1] = out[1];
	inside.stdio[2] = err[1];
	relay_from_caller(&keeper->input, STDIN_FILENO, in[1]);
	relay_to_caller(&keeper->output, out[0], STDOUT_FILENO,
			keeper->plan->output_bytes);
	relay_to_caller(&keeper->errors, err[0], STDERR_FILENO,
			keeper->plan->output_bytes);
	return 0;
}

/* -1 when there is none to start in. */
static int open_cgroup(int *cgroup)
{
	*cgroup = -1;
	if (keeper->plan->into == NULL)
		return 0;
	*cgroup = open(keeper->plan->into, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *cgroup < 0 ? -1 : 0;
}

static void describe_inside(int link)
{
	bool is_placed = keeper->plan->place != NULL;

	inside.plan = keeper->plan;
	/* In a user namespace every number is free; it need not tell ours. */
	inside.uid = keeper->plan->tier == TIER_B ?
		keeper->plan->uid_first : keeper->uid;
	inside.tasks = keeper->tasks;
	inside.outer_uid = geteuid();
	inside.outer_gid = getegid();
	inside.place = is_placed ? keeper->place.path : NULL;
	inside.tmp_tree = is_placed ? keeper->place.tmp : -1;
	inside.proxy = -1;
	inside.run_tree = -1;
	inside.ruleset = -1;
	for (int i = 0; i < BERTH_NAMESPACES; i++)
		inside.namespaces[i] = -1;
	inside.link = link;
}

static int open_park(void)
{
	inside.park = -1;
	if (!keeper->plan->is_parked)
		return 0;
	if (park_open(&keeper->park, keeper->plan->is_zygote,
		      &inside.park) < 0)
		return -1;
	if (keeper->plan->berth_socket != NULL &&
	    berth_open_links(&keeper->berth) < 0)
		return -1;
	return keeper->plan->is_zygote ? zygote_prepare(keeper) : 0;
}

/* What a berth's program gets is kept for it. */
static void keep_for_program(void)
{
	keeper->berth.guest_park = inside.park;
	for (int i = 0; i < 3; i++)
		keeper->berth.guest_stdio[i] = inside.stdio[i];
}

/* Else init could not see that its keeper has gone. */
static void be_init(void)
{
	system_close(keeper->link);
	system_close(keeper->park.guest);
	system_close(keeper->berth.link);
	init_live(&inside);
}

static pid_t clone_init(int cgroup)
{
	uint64_t flags = namespaces[keeper->plan->tier];

	if (keeper->plan->is_host_network)
		flags &= ~(uint64_t)CLONE_NEWNET;
	if (keeper->plan->berth_socket != NULL)
		return berth_clone(&keeper->berth, flags, &keeper->init_pidfd,
				  be_init);
	return system_clone_into(flags, &keeper->init_pidfd, cgroup);
}

/* Before the rights to it are gone. */
static int open_root(void)
{
	int folder;

	inside.root_tree = -1;
	if (keeper->plan->berth_socket == NULL || keeper->plan->tier != TIER_A)
		return 0;
	folder = open(keeper->plan->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -1;
	inside.root_tree = root_prepare_tree(folder);
	system_close(folder);
	return inside.root_tree < 0 ? -1 : 0;
}

int keeper_start(struct keeper *own)
{
	int link[2], cgroup;
	pid_t pid;

	keeper = own;
	if (open_cgroup(&cgroup) < 0 || make_pipes(link) < 0 ||
	    open_park() < 0 || open_root() < 0)
		return -1;
	keeper->link = link[0];
	describe_inside(link[1]);
	pid = clone_init(cgroup);
	if (pid == 0)
		be_init();
	keeper->init_pid = pid;
	system_close(link[1]);
	system_close(cgroup);
	system_close(inside.root_tree);
	if (keeper->plan->berth_socket != NULL) {
		keep_for_program();
		return pid < 0 || berth_release_stdio() < 0 ?
			-1 : berth_admit(keeper, pid);
	}
	system_close(inside.park);
	for (int i = 0; i < 3; i++)
		system_close(inside.stdio[i]);
	return pid < 0 ? -1 : 0;
}
