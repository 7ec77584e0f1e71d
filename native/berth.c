#define _GNU_SOURCE
#include "berth.h"

#include "cgroup.h"
#include "keeper.h"
#include "packet.h"
#include "proc.h"
#include "scrutiny.h"
#include "system.h"
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The number of a berth's program: its first process makes no other. */
#define PROGRAM_NUMBER 2
/* For a helper, and for the life of a first process. */
#define HELPER_STACK (256 << 10)

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (descriptor >= 0 &&
	    connect(descriptor, (struct sockaddr *)&address,
		    sizeof(address)) < 0) {
		system_close(descriptor);
		return -1;
	}
	return descriptor;
}

/* One connection, as the descriptors `first` and `second`. */
static int connect_as(const struct plan *plan, char role, int first, int second)
{
	char hello[BERTH_ID + 1];
	int descriptor = connect_to(plan->berth_socket), answer;

	if (descriptor < 0)
		return -1;
	memcpy(hello, plan->berth_id, BERTH_ID);
	hello[BERTH_ID] = role;
	answer = system_write(descriptor, hello, sizeof(hello)) < 0 ||
		 dup3(descriptor, first, O_CLOEXEC) < 0 ||
		 (second >= 0 && dup3(descriptor, second, O_CLOEXEC) < 0);
	system_close(descriptor);
	return answer ? -1 : 0;
}

int berth_connect(const struct plan *plan)
{
	if (connect_as(plan, '0', STDIN_FILENO, -1) < 0 ||
	    connect_as(plan, '1', STDOUT_FILENO, PARK_DESCRIPTOR) < 0 ||
	    connect_as(plan, '2', STDERR_FILENO, -1) < 0)
		return -1;
	return connect_as(plan, '3', STATUS_DESCRIPTOR, -1);
}

int berth_release_stdio(void)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if (dup3(nothing, i, O_CLOEXEC) < 0)
			return -1;
	}
	system_close(nothing);
	return 0;
}

/* What is made from here on lives where the zygote's processes can go to. */
int berth_enter(const struct berth *berth)
{
	if (berth->user_namespace >= 0 &&
	    setns(berth->user_namespace, CLONE_NEWUSER) < 0)
		return -1;
	return setns(berth->pid_namespace, CLONE_NEWPID);
}

struct birth {
	uint64_t flags;
	int *pidfd;
	void (*live)(void);
	int error;
};

/*
 * Of whoever went to another process namespace only the children are in it,
 * and only they can make one in it.  So a helper does, which shares our memory
 * and descriptors; what it makes is its sibling, and so our child.
 */
static int help(void *context)
{
	struct birth *birth = context;
	pid_t pid = system_clone(birth->flags | CLONE_PARENT, birth->pidfd);

	if (pid == 0)
		birth->live();
	birth->error = pid < 0 ? errno : 0;
	return 0;
}

static pid_t clone_by_helper(uint64_t flags, int *pidfd, void (*live)(void))
{
	static char stack[HELPER_STACK] __attribute__((aligned(16)));
	struct birth birth = { flags, pidfd, live, 0 };
	pid_t helper = clone(help, stack + sizeof(stack), CLONE_VM |
			     CLONE_VFORK | CLONE_FILES | SIGCHLD, &birth);

	if (helper < 0 || waitpid(helper, NULL, 0) < 0)
		return -1;
	errno = birth.error;
	return birth.error != 0 ? -1 : proc_number_of(*pidfd);
}

pid_t berth_clone(const struct berth *berth, uint64_t flags, int *pidfd,
		 void (*live)(void))
{
	bool is_owned = berth->user_namespace < 0;
	pid_t pid;

	if (is_owned && setresuid((uid_t)-1, berth->owner, (uid_t)-1) < 0)
		return -1;
	pid = clone_by_helper(flags | CLONE_NEWUSER, pidfd, live);
	/* The rights come back with the user, who is still the real one. */
	if (is_owned && setresuid((uid_t)-1, 0, (uid_t)-1) < 0)
		return -1;
	return pid;
}

/* The zygote's user is root there, and the program's is itself. */
static int write_map(pid_t init, const char *kind, uid_t owner, uid_t program)
{
	char path[64], rows[96];
	int file, answer, length;

	snprintf(path, sizeof(path), "/proc/%d/%s", init, kind);
	length = snprintf(rows, sizeof(rows), "0 %u 1\n%u %u 1\n", owner,
			  program, program);
	file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	answer = system_write(file, rows, (size_t)length);
	system_close(file);
	return answer;
}

int berth_admit(const struct keeper *keeper, pid_t init)
{
	uid_t owner = keeper->berth.owner;

	if (keeper->cgroup.plan != NULL &&
	    cgroup_admit(keeper->plan, init) < 0)
		return -1;
	if (keeper->plan->tier != TIER_A)
		return 0;
	if (write_map(init, "uid_map", owner, keeper->uid) < 0 ||
	    write_map(init, "gid_map", owner, keeper->uid) < 0)
		return -1;
	return packet_send(keeper->link, "", 1, NULL, 0);
}

int berth_open_links(struct berth *berth)
{
	const int yes = 1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	berth->link = ends[0];
	berth->guest_link = ends[1];
	return setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
}

/* All others are the zygote's own; 0 when the plan has none of this kind. */
static struct plan_rlimit rlimit_of(const struct plan *plan, uint32_t resource)
{
	for (size_t i = 0; i < plan->rlimit_count; i++) {
		if (plan->rlimits[i].resource == resource)
			return plan->rlimits[i];
	}
	return (struct plan_rlimit){ .resource = resource };
}

static void close_all(int *descriptors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		system_end(&descriptors[i]);
}

size_t berth_namespaces(const struct plan *plan)
{
	return plan->is_host_network ? BERTH_NETWORK : BERTH_NAMESPACES;
}

void berth_ask(struct keeper *keeper, const int *descriptors)
{
	struct berth *berth = &keeper->berth;
	int handed[PACKET_DESCRIPTORS];
	size_t count = berth_namespaces(keeper->plan);
	const struct plan_rlimit files = rlimit_of(keeper->plan, RLIMIT_NOFILE);
	const struct plan_rlimit cpu = rlimit_of(keeper->plan, RLIMIT_CPU);
	const struct berth_request request = {
		.uid = keeper->plan->tier == TIER_A ?
			keeper->uid : keeper->plan->uid_first,
		.open_files = (uint32_t)files.hard,
		.processes = (uint32_t)rlimit_of(keeper->plan,
						 RLIMIT_NPROC).hard,
		.cpu_soft = (uint32_t)cpu.soft,
		.cpu_hard = (uint32_t)cpu.hard,
		.has_own_user = keeper->plan->tier == TIER_A,
		.has_ruleset = descriptors[count] >= 0,
		.namespaces = (uint32_t)count,
	};
	const int ruleset = descriptors[count];

	memcpy(handed, descriptors, count * sizeof(int));
	for (int i = 0; i < 3; i++)
		handed[count++] = berth->guest_stdio[i];
	handed[count++] = berth->guest_link;
	handed[count++] = berth->guest_park;
	if (request.has_ruleset)
		handed[count++] = ruleset;
	if (packet_send(berth->zygote, &request, sizeof(request), handed,
			count) < 0)
		keeper_fail(keeper, STEP_MAIN, errno);
	close_all(handed, count);
	berth->guest_link = -1;
	berth->guest_park = -1;
	for (int i = 0; i < 3; i++)
		berth->guest_stdio[i] = -1;
	system_end(&berth->zygote);
}

/* It waits for it, so that nothing that it does goes uncounted. */
static void send_filter(struct keeper *keeper, pid_t program)
{
	struct plan *plan = keeper->plan;

	for (size_t i = 0; i < plan->filter_length; i++) {
		if (plan->filter[i].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
		    plan->filter[i].k == PLAN_PROCESS)
			plan->filter[i].k = PROGRAM_NUMBER;
	}
	if (keeper->cgroup.plan != NULL && cgroup_admit(plan, program) < 0)
		keeper_fail(keeper, STEP_CGROUP_JOIN, errno);
	else if (packet_send(keeper->berth.link, plan->filter,
			     plan->filter_length * sizeof(plan->filter[0]),
			     NULL, 0) < 0)
		keeper_fail(keeper, STEP_FILTER, errno);
}

/* Nothing that the program says of itself counts. */
static void begin_parking(struct keeper *keeper, int listener, pid_t pid)
{
	struct zygote_entry entry = { .berth = keeper->berth.number };

	keeper->listener = listener;
	keeper->main_pidfd = system_pidfd_open(pid);
	if (keeper->main_pidfd < 0) {
		keeper_fail(keeper, STEP_MAIN, errno);
		return;
	}
	if (!scrutiny_is_confined(pid, keeper->plan->tier == TIER_A ?
			      keeper->uid : geteuid(), PROGRAM_NUMBER,
			      &entry.pid) ||
	    !scrutiny_is_beside(pid, keeper->init_pid) ||
	    (keeper->cgroup.plan != NULL &&
	     !cgroup_has(&keeper->cgroup, pid))) {
		keeper_fail(keeper, STEP_CONFINEMENT, EPERM);
		return;
	}
	if (system_write(keeper->berth.registry, &entry, sizeof(entry)) < 0) {
		keeper_fail(keeper, STEP_MAIN, errno);
		return;
	}
	system_end(&keeper->berth.link);
	keeper->phase = PHASE_PARKED;
}

void berth_hear_program(struct keeper *keeper)
{
	struct packet packet;
	char word = 0;
	ssize_t length = packet_receive(keeper->berth.link, &word, 1, &packet);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length == 1 && word == 'E' && packet.count == 0) {
		send_filter(keeper, packet.sender);
		return;
	}
	if (length == 1 && word == 'L' && packet.count == 1) {
		begin_parking(keeper, packet.descriptors[0], packet.sender);
		return;
	}
	packet_close(&packet, 0);
	keeper_fail(keeper, STEP_MAIN, length < 0 ? errno : ESRCH);
}

void berth_hear_desk(struct keeper *keeper)
{
	struct zygote_end end;
	ssize_t length = recv(keeper->berth.desk, &end, sizeof(end),
			      MSG_DONTWAIT);
	struct message message = { .kind = MESSAGE_ENDED };

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length != (ssize_t)sizeof(end)) {
		keeper_fail(keeper, STEP_INIT_DIED, ESRCH);
		return;
	}
	message.wait_status = end.wait_status;
	message.cpu_us = end.cpu_us;
	keeper_finish(keeper, &message);
}
