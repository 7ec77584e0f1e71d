#define _GNU_SOURCE
#include "cgroup.h"
#include "inputs.h"
#include "inside.h"
#include "park.h"
#include "place.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The descriptors that the first process keeps, from stdio on. */
#define LINK 3
#define OOM_SCORE 4
#define TMP_TREE 5
#define PROXY 6
/* The program's, too, as long as it waits: park.h. */
#define PARK PARK_DESCRIPTOR
#define RUN_TREE 8
#define ZYGOTE_PID 9
#define ZYGOTE_USER 10
#define FIRST_FREE 11

#define WAIT_NS 20000

/*
 * The keeper may have gone before the kernel knew that we want to go too.
 * Where the cell does not die with us, we live on until it has.
 */
static int die_with_keeper(struct inside *inside)
{
	struct pollfd row = { inside->link, 0, 0 };
	bool is_placed = (TIERS(inside->plan->tier) & TIERS_PLACED) != 0;

	inside->init_pid = getpid();
	if (prctl(is_placed ? PR_SET_CHILD_SUBREAPER : PR_SET_PDEATHSIG,
		  is_placed ? 1 : SIGKILL, 0, 0, 0) < 0)
		return -1;
	umask(0);
	if (poll(&row, 1, 0) != 0)
		_exit(1);
	return setsid() < 0 ? -1 : 0;
}

/* Before anything that takes memory, time or processes. */
static int join_cgroups(struct inside *inside)
{
	return cgroup_join(inside->plan);
}

static int open_oom_score(struct inside *inside)
{
	ssize_t length;

	inside->oom_score = open("/proc/self/oom_score_adj",
				 O_RDWR | O_CLOEXEC);
	if (inside->oom_score < 0)
		return -1;
	length = read(inside->oom_score, inside->own_score,
		      sizeof(inside->own_score));
	inside->own_score_length = length < 0 ? 0 : (size_t)length;
	return length <= 0 ? -1 : 0;
}

/* While nothing of the program's is there that could stand in the way. */
static int write_inputs(struct inside *inside)
{
	return inputs_write(inside->plan, inside->tmp_tree, inside->uid);
}

static int set_hostname(struct inside *inside)
{
	const char *name = inside->plan->hostname;

	return sethostname(name, strlen(name));
}

/* In its place if there is one, else nothing is there. */
static int arrange(int from, int to, int flags)
{
	if (from >= 0)
		return dup3(from, to, flags);
	system_close(to);
	return 0;
}

/*
 * The program's stdio in its place, what is ours after it, nothing else.
 * In the keeper those numbers are taken by what came from its caller, so that
 * none is overwritten before it is copied.
 */
static int arrange_descriptors(struct inside *inside)
{
	for (int i = 0; i < 3; i++) {
		if (dup2(inside->stdio[i], i) < 0)
			return -1;
	}
	if (dup3(inside->link, LINK, O_CLOEXEC) < 0 ||
	    dup3(inside->oom_score, OOM_SCORE, O_CLOEXEC) < 0 ||
	    dup3(inside->tmp_tree, TMP_TREE, O_CLOEXEC) < 0 ||
	    arrange(inside->proxy, PROXY, O_CLOEXEC) < 0 ||
	    arrange(inside->park, PARK, 0) < 0 ||
	    arrange(inside->run_tree, RUN_TREE, O_CLOEXEC) < 0 ||
	    arrange(inside->namespaces[BERTH_PID], ZYGOTE_PID, O_CLOEXEC) < 0 ||
	    arrange(inside->namespaces[BERTH_USER], ZYGOTE_USER,
		    O_CLOEXEC) < 0)
		return -1;
	inside->link = LINK;
	return system_close_range(FIRST_FREE);
}

static int prepare_ruleset(struct inside *inside)
{
	return landlock_prepare(inside, &inside->ruleset);
}

/* Hands over everything of a berth but its first process. */
static int hand_over_berth(struct inside *inside)
{
	const struct message message = {
		.kind = MESSAGE_READY,
		.landlock = inside->ruleset < 0 ? 0 : landlock_version(),
	};
	int descriptors[HANDED_OVER] = { inside->tmp_tree, inside->run_tree };
	size_t count = 2;

	for (size_t i = 0; i < berth_namespaces(inside->plan); i++)
		descriptors[count++] = inside->namespaces[i];
	if (inside->ruleset >= 0)
		descriptors[count++] = inside->ruleset;
	inside_tell(inside->link, &message, descriptors, count);
	if (dup3(inside->link, LINK, O_CLOEXEC) < 0)
		return -1;
	inside->link = LINK;
	if (system_close_own(0, LINK - 1) < 0)
		return -1;
	return system_close_range(LINK + 1);
}

/*
 * A zygote's number differs from those of the programs that it forks, which
 * are 2, each where it lives: libraries take the same number for the same
 * process, and would go on with its random numbers.
 */
static int skip_number(const struct inside *inside)
{
	pid_t pid;
	int pidfd;

	if (!inside->plan->is_zygote)
		return 0;
	pid = system_clone(0, &pidfd);
	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		return -1;
	system_close(pidfd);
	return 0;
}

/*
 * The main process shares the table of descriptors until it becomes the
 * program: so its seccomp listener is ours too, without a way out that the
 * filter would have to allow.  It is the first choice of the OOM killer.
 */
static int start_main(struct inside *inside)
{
	inside->shared = mmap(NULL, sizeof(*inside->shared),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (inside->shared == MAP_FAILED)
		return -1;
	atomic_store(&inside->shared->listener, -1);
	atomic_store(&inside->shared->is_confined, 0);
	if (skip_number(inside) < 0)
		return -1;
	if (system_write(OOM_SCORE, "1000", 4) < 0)
		return -1;
	inside->main_pid = system_clone(CLONE_FILES, &inside->main_pidfd);
	if (inside->main_pid == 0)
		guest_become_program(inside);
	if (inside->main_pid < 0)
		return -1;
	return system_write(OOM_SCORE, inside->own_score,
			    inside->own_score_length);
}

static bool is_main_dead(const struct inside *inside)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)inside->main_pid, &info,
		      WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
}

/* The main process can tell us nothing but by memory; it takes about 0.1 ms. */
static int await_listener(struct inside *inside)
{
	static const struct timespec pause = { .tv_nsec = WAIT_NS };
	struct shared *shared = inside->shared;

	if (prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) < 0)
		return -1;
	while (atomic_load(&shared->is_confined) == 0) {
		bool is_dead = is_main_dead(inside);
		int error = atomic_load(&shared->error);

		if (is_dead && atomic_load(&shared->is_confined) == 0)
			inside_fail(inside->link,
			     error == 0 ? STEP_MAIN :
					  atomic_load(&shared->step),
			     error == 0 ? ESRCH : error);
		if (nanosleep(&pause, NULL) < 0 && errno != EINTR)
			return -1;
	}
	return 0;
}

/* Hands over what the keeper needs, and keeps nothing of the program's. */
static int hand_over(struct inside *inside)
{
	const struct message message = {
		.kind = MESSAGE_STARTED,
		.landlock = atomic_load(&inside->shared->landlock),
	};
	int descriptors[HANDED_OVER] = {
		atomic_load(&inside->shared->listener), inside->main_pidfd,
		TMP_TREE,
	};
	size_t count = HANDED_OVER_LEAST;

	if (inside->plan->is_zygote) {
		descriptors[0] = ZYGOTE_PID;
		descriptors[2] = ZYGOTE_USER;
	}
	if (inside->proxy >= 0)
		descriptors[count++] = PROXY;
	if (inside->run_tree >= 0 && !inside->plan->is_zygote)
		descriptors[count++] = RUN_TREE;
	inside_tell(inside->link, &message, descriptors, count);
	/* Not unshare(2), which containers forbid. */
	if (system_close_own(0, LINK - 1) < 0)
		return -1;
	return system_close_range(LINK + 1);
}

/* Tier C: what is left of a cell has another user id than whoever ends it. */
static int drop_privileges(struct inside *inside)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return guest_keep_capabilities(inside->plan->tier == TIER_C ?
				       1u << CAP_KILL : 0);
}

/*
 * The order: first see to it that we die with the keeper; then everything that
 * is said by paths of the host, while there is one; the folders of the image
 * before anything is mounted in it; pivot; and the main process when there is
 * nothing left of the host to be had, by path or by descriptor.
 */
static const struct step_row steps[] = {
	{ STEP_USERS, namespaces_become_own_root, TIERS(TIER_A), ROLE_BERTH },
	{ STEP_PARENT_DEATH, die_with_keeper, TIERS_ALL, ROLES_ALL },
	{ STEP_USERS, namespaces_open_to_itself, TIERS(TIER_B) | TIERS(TIER_D),
	  ROLES_ALL },
	{ STEP_USERS, namespaces_map_users, TIERS(TIER_B), ROLES_ALL },
	{ STEP_CGROUP_JOIN, join_cgroups, TIERS_ALL, ROLES_MAIN },
	{ STEP_CGROUP_NAMESPACE, namespaces_leave_cgroup_namespace, TIERS_MOUNTED,
	  ROLES_ALL },
	{ STEP_OOM_SCORE, open_oom_score, TIERS_ALL, ROLES_MAIN },
	{ STEP_OOM_SCORE, namespaces_close_to_others, TIERS_ALL, ROLES_ALL },
	{ STEP_NAMESPACES, namespaces_open, TIERS_MOUNTED,
	  ROLE_ZYGOTE | ROLE_BERTH },
	{ STEP_PRIVATE_MOUNTS, root_make_private, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_ROOT, root_attach, TIERS(TIER_A), ROLES_MAIN },
	{ STEP_ROOT, root_attach, TIERS(TIER_B), ROLES_ALL },
	{ STEP_ROOT, root_attach_tree, TIERS(TIER_A), ROLE_BERTH },
	{ STEP_ROOT_TMP, root_open_tmp, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_ROOT_DEV, root_open_dev, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_ROOT_RUN, root_open_run, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_ROOT_PROC, root_open_proc, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_TMP, root_mount_tmp, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_FILES, write_inputs, TIERS_ALL, ROLES_ALL },
	{ STEP_DEV, root_mount_dev, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_PROGRAM, root_mount_run, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_PROC, root_mount_proc, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_RESOLVER, resolver_mount, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_PIVOT, root_pivot, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_HOSTNAME, set_hostname, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_PROXY, network_listen, TIERS_MOUNTED, ROLES_ALL },
	{ STEP_LANDLOCK, prepare_ruleset, TIERS_MOUNTED, ROLE_BERTH },
	{ STEP_LISTENER, hand_over_berth, TIERS_MOUNTED, ROLE_BERTH },
	{ STEP_STDIO, arrange_descriptors, TIERS_ALL, ROLES_MAIN },
	{ STEP_MAIN, start_main, TIERS_ALL, ROLES_MAIN },
	{ STEP_LISTENER, await_listener, TIERS_ALL, ROLES_MAIN },
	{ STEP_LISTENER, hand_over, TIERS_ALL, ROLES_MAIN },
	{ STEP_INIT_PRIVILEGES, drop_privileges, TIERS_ALL, ROLES_ALL },
};

_Noreturn void init_live(struct inside *inside)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (is_taken(&steps[i], inside->plan) &&
		    steps[i].run(inside) < 0)
			inside_fail(inside->link, steps[i].step, errno);
	}
	supervisor_live(inside);
}
