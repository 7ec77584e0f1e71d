#define _GNU_SOURCE
#include "cgroup.h"
#include "family.h"
#include "inputs.h"
#include "inside.h"
#include "park.h"
#include "place.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
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

static void send_message(int link, const struct message *message,
			 const int *descriptors, size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(HANDED_OVER * sizeof(int))];
	} control;
	struct iovec bytes = {
		.iov_base = (void *)(uintptr_t)message,
		.iov_len = sizeof(*message),
	};
	struct msghdr packet = { .msg_iov = &bytes, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), descriptors,
		       count * sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	/* Without a keeper there is nobody to run for. */
	if (sendmsg(link, &packet, MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* The keeper answers by killing the whole cell. */
static _Noreturn void fail(int link, enum step step, int error)
{
	const struct message message = {
		.kind = MESSAGE_FAILED, .step = step, .error = error,
	};

	send_message(link, &message, NULL, 0);
	_exit(1);
}

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

/*
 * A berth of tier A starts as nobody: who made it has to say who is who in its
 * user namespace.  Its ids there are those of the zygote's user.
 */
static int become_own_root(struct inside *inside)
{
	char word;
	ssize_t length = recv(inside->link, &word, 1, 0);

	/* The keeper has gone. */
	if (length == 0)
		_exit(1);
	if (length < 0 || setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0)
		return -1;
	return setresuid(0, 0, 0);
}

/* Whoever is to enter them needs them as descriptors. */
static int open_namespaces(struct inside *inside)
{
	static const char *const names[BERTH_NAMESPACES] = {
		[BERTH_USER] = "user", [BERTH_MOUNT] = "mnt",
		[BERTH_PID] = "pid", [BERTH_IPC] = "ipc",
		[BERTH_UTS] = "uts", [BERTH_CGROUP] = "cgroup",
		[BERTH_NETWORK] = "net",
	};
	int folder = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool is_berth = role_of(inside->plan) == ROLE_BERTH;

	if (folder < 0)
		return -1;
	for (int i = 0; i < BERTH_NAMESPACES; i++) {
		inside->namespaces[i] = -1;
		if (!is_berth && i != BERTH_USER && i != BERTH_PID)
			continue;
		inside->namespaces[i] = openat(folder, names[i],
					       O_RDONLY | O_CLOEXEC);
		if (inside->namespaces[i] < 0)
			return -1;
	}
	system_close(folder);
	return 0;
}

/* Its files in /proc are ours only as long as others may look, proc(5). */
static int open_to_itself(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int close_to_others(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int write_map(const char *path, uid_t inner, uid_t outer)
{
	char row[64];
	int file = open(path, O_WRONLY | O_CLOEXEC), answer;
	int length = snprintf(row, sizeof(row), "%u %u 1\n", inner, outer);

	if (file < 0)
		return -1;
	/* One row in one write: user_namespaces(7). */
	answer = system_write(file, row, (size_t)length);
	system_close(file);
	return answer;
}

/* One id; the kernel wants the right to leave groups to be given up first. */
static int map_users(struct inside *inside)
{
	int groups = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	int answer = groups < 0 ? -1 : system_write(groups, "deny", 4);

	system_close(groups);
	if (answer < 0 || write_map("/proc/self/uid_map", inside->uid,
				    inside->outer_uid) < 0)
		return -1;
	return write_map("/proc/self/gid_map", inside->uid, inside->outer_gid);
}

/* Before anything that takes memory, time or processes. */
static int join_cgroups(struct inside *inside)
{
	return cgroup_join(inside->plan);
}

/* Only now: a cgroup namespace starts at the groups one is in. */
static int leave_cgroup_namespace(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return unshare(CLONE_NEWCGROUP);
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
	send_message(inside->link, &message, descriptors, count);
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
			fail(inside->link,
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
	send_message(inside->link, &message, descriptors, count);
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

static uint64_t micros(const struct rusage *usage)
{
	return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) *
		1000000u +
		(uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void report_end(const struct inside *inside, int wait_status,
		       const struct rusage *usage)
{
	const struct message message = {
		.kind = MESSAGE_ENDED,
		.wait_status = wait_status,
		.cpu_us = micros(usage),
	};
	int error = atomic_load(&inside->shared->error);

	if (error != 0)
		fail(inside->link, atomic_load(&inside->shared->step), error);
	send_message(inside->link, &message, NULL, 0);
}

/* A program that a zygote has forked becomes ours when its parent goes. */
static void report_child(const struct inside *inside, pid_t pid,
			 int wait_status, const struct rusage *usage)
{
	const struct message message = {
		.kind = MESSAGE_CHILD,
		.pid = pid,
		.wait_status = wait_status,
		.cpu_us = micros(usage),
	};

	send_message(inside->link, &message, NULL, 0);
}

static void reap(const struct inside *inside)
{
	struct rusage usage;
	int wait_status;
	pid_t pid;

	while ((pid = wait4(-1, &wait_status, WNOHANG, &usage)) > 0) {
		if (inside->plan->is_zygote && pid != inside->main_pid)
			report_child(inside, pid, wait_status, &usage);
		else if (pid == inside->main_pid)
			report_end(inside, wait_status, &usage);
	}
}

/*
 * In a process namespace everything ends with its first process; without one
 * that is our work.  A keeper that is alive says so before it goes.
 */
static _Noreturn void end(const struct inside *inside)
{
	char word;
	bool is_asked, is_clean;

	if ((TIERS(inside->plan->tier) & TIERS_MOUNTED) != 0)
		_exit(1);
	is_asked = recv(inside->link, &word, 1, MSG_DONTWAIT) == 1;
	is_clean = family_kill(system_now() + INSIDE_ENDING_NS);
	/* A slot is cleaned by the next run in it: only root can. */
	if (is_clean && !is_asked && inside->plan->tier == TIER_D)
		is_clean = place_abandon(inside->place);
	_exit(is_clean ? 0 : 1);
}

/* Reaps whatever dies, until the keeper kills this process or is gone. */
static _Noreturn void supervise(const struct inside *inside)
{
	struct signalfd_siginfo ignored;
	struct pollfd rows[2] = { { inside->link, POLLIN, 0 } };
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	rows[1].fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	rows[1].events = POLLIN;
	for (;;) {
		reap(inside);
		if (poll(rows, 2, -1) < 0 || rows[0].revents != 0)
			end(inside);
		if (rows[1].revents != 0 &&
		    read(rows[1].fd, &ignored, sizeof(ignored)) < 0)
			end(inside);
	}
}

/*
 * The order: first see to it that we die with the keeper; then everything that
 * is said by paths of the host, while there is one; the folders of the image
 * before anything is mounted in it; pivot; and the main process when there is
 * nothing left of the host to be had, by path or by descriptor.
 */
static const struct step_row steps[] = {
	{ STEP_USERS, become_own_root, TIERS(TIER_A), ROLE_BERTH },
	{ STEP_PARENT_DEATH, die_with_keeper, TIERS_ALL, ROLES_ALL },
	{ STEP_USERS, open_to_itself, TIERS(TIER_B) | TIERS(TIER_D),
	  ROLES_ALL },
	{ STEP_USERS, map_users, TIERS(TIER_B), ROLES_ALL },
	{ STEP_CGROUP_JOIN, join_cgroups, TIERS_ALL, ROLES_MAIN },
	{ STEP_CGROUP_NAMESPACE, leave_cgroup_namespace, TIERS_MOUNTED,
	  ROLES_ALL },
	{ STEP_OOM_SCORE, open_oom_score, TIERS_ALL, ROLES_MAIN },
	{ STEP_OOM_SCORE, close_to_others, TIERS_ALL, ROLES_ALL },
	{ STEP_NAMESPACES, open_namespaces, TIERS_MOUNTED,
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
			fail(inside->link, steps[i].step, errno);
	}
	supervise(inside);
}
