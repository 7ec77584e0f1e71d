#define _GNU_SOURCE
#include "zygote.h"

#include "family.h"
#include "keeper.h"
#include "proc.h"
#include "scrutiny.h"
#include "berth.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLANS_LARGEST (1u << 20)
/* Above all that a keeper has, so that all else can be closed at once. */
#define KEPT 64
/* How long processes of a zygote may take to end: a fifth of a second. */
#define ENDING_PAUSE_NS 2000000
#define ENDING_PAUSES 100

static unsigned char plans[PLANS_LARGEST];
static size_t plans_length;

void zygote_open(struct zygote *zygote)
{
	*zygote = (struct zygote){
		.pid_namespace = -1, .user_namespace = -1,
		.registry = { -1, -1 },
	};
}

int zygote_prepare(struct keeper *keeper)
{
	sigset_t children;

	/* Besides its cell's first process it has the keepers of berths. */
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigaddset(&children, SIGTERM);
	sigaddset(&children, SIGINT);
	sigaddset(&children, SIGHUP);
	if (signalfd(keeper->signals, &children, SFD_CLOEXEC | SFD_NONBLOCK) <
	    0)
		return -1;
	/*
	 * What a killed keeper of a berth leaves is inside of the zygote's
	 * process namespace, which cannot end before somebody outside has
	 * reaped it.  Whoever is first on this machine may not, or late.
	 */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -1;
	return pipe2(keeper->zygote.registry, O_CLOEXEC);
}

static size_t berth_count(const struct zygote *zygote)
{
	size_t count = 0;

	for (size_t i = 0; i < ZYGOTE_BERTHS; i++)
		count += zygote->berths[i].keeper != 0;
	return count;
}

/* Of what the zygote's keeper has, a berth's gets five descriptors. */
static int keep_only(struct berth *berth)
{
	int *kept[] = {
		&berth->zygote, &berth->desk, &berth->registry,
		&berth->pid_namespace, &berth->user_namespace,
	};
	int next = KEPT;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (*kept[i] < 0)
			continue;
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, next);
		if (*kept[i] < 0)
			return -1;
		next = *kept[i] + 1;
	}
	if (system_close_own(3, KEPT - 1) < 0)
		return -1;
	return system_close_range((unsigned int)next);
}

static void live_as_berth(const struct keeper *keeper, uint32_t number,
			 int desk, size_t length)
{
	const struct zygote *zygote = &keeper->zygote;
	struct berth berth = {
		.zygote = keeper->park.guest,
		.desk = desk,
		.registry = zygote->registry[1],
		.number = number,
		.owner = keeper->uid,
		.pid_namespace = zygote->pid_namespace,
		.user_namespace = keeper->plan->tier == TIER_B ?
			zygote->user_namespace : -1,
		.link = -1,
		.guest_link = -1,
		.guest_park = -1,
		.guest_stdio = { -1, -1, -1 },
	};

	_exit(keep_only(&berth) < 0 ? 125 :
	      keeper_live_as_berth(&berth, plans + sizeof(uint32_t), length));
}

static void make_berth(struct keeper *keeper, size_t length)
{
	struct zygote *zygote = &keeper->zygote;
	uint32_t number = 0;
	int desk[2];
	pid_t pid;

	while (number < ZYGOTE_BERTHS && zygote->berths[number].keeper != 0)
		number++;
	/* Whoever wants so many notices that one never says anything. */
	if (number == ZYGOTE_BERTHS ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, desk) < 0)
		return;
	pid = fork();
	if (pid == 0)
		live_as_berth(keeper, number, desk[1], length);
	system_close(desk[1]);
	if (pid < 0) {
		system_close(desk[0]);
		return;
	}
	zygote->berths[number] = (struct zygote_berth){ pid, desk[0], 0 };
}

/* Takes every plan that is there as a whole. */
static void take_plans(struct keeper *keeper)
{
	uint32_t length;

	while (plans_length >= sizeof(length)) {
		memcpy(&length, plans, sizeof(length));
		if (length > PLANS_LARGEST - sizeof(length)) {
			keeper_fail(keeper, STEP_PLAN, EFBIG);
			return;
		}
		if (plans_length < sizeof(length) + length)
			return;
		make_berth(keeper, length);
		plans_length -= sizeof(length) + length;
		memmove(plans, plans + sizeof(length) + length, plans_length);
	}
}

void zygote_hear_job(struct keeper *keeper)
{
	struct park *park = &keeper->park;
	ssize_t length = recv(park->job, plans + plans_length,
			      PLANS_LARGEST - plans_length, MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length > 0) {
		plans_length += (size_t)length;
		take_plans(keeper);
		return;
	}
	zygote_stop(keeper);
}

void zygote_stop(struct keeper *keeper)
{
	if (system_pidfd_kill(keeper->main_pidfd, SIGKILL) < 0 &&
	    errno != ESRCH)
		keeper_fail(keeper, STEP_MAIN, errno);
	zygote_close(keeper);
}

/* Whoever would ask for a berth sees that nobody hears. */
void zygote_close(struct keeper *keeper)
{
	keeper->zygote.is_closing = true;
	system_end(&keeper->park.guest);
	system_end(&keeper->park.job);
	if (berth_count(&keeper->zygote) == 0)
		keeper_end(keeper, CAUSE_NONE);
}

/* A keeper that has gone is told nothing more. */
static void tell(const struct zygote_berth *berth, const struct zygote_end *end)
{
	if (send(berth->desk, end, sizeof(*end), MSG_DONTWAIT | MSG_NOSIGNAL) <
	    0)
		return;
}

void zygote_hear_registry(struct keeper *keeper)
{
	struct zygote *zygote = &keeper->zygote;
	struct zygote_entry entry;

	if (read(zygote->registry[0], &entry, sizeof(entry)) !=
	    (ssize_t)sizeof(entry) || entry.berth >= ZYGOTE_BERTHS)
		return;
	zygote->berths[entry.berth].pid = entry.pid;
	for (size_t i = 0; i < ZYGOTE_ENDED; i++) {
		struct zygote_end *end = &zygote->ended[i];

		if (end->pid != entry.pid)
			continue;
		tell(&zygote->berths[entry.berth], end);
		end->pid = 0;
	}
}

void zygote_hear_end(struct keeper *keeper, const struct zygote_end *end)
{
	struct zygote *zygote = &keeper->zygote;

	for (size_t i = 0; i < ZYGOTE_BERTHS; i++) {
		struct zygote_berth *berth = &zygote->berths[i];

		if (berth->keeper == 0 || berth->pid != end->pid)
			continue;
		tell(berth, end);
		berth->pid = 0;
		return;
	}
	zygote->ended[zygote->ended_count++ % ZYGOTE_ENDED] = *end;
}

/* The first process of a berth whose keeper was killed. */
static void reap_orphan(int64_t number, void *context)
{
	const struct keeper *keeper = context;

	if (number == keeper->init_pid)
		return;
	for (size_t i = 0; i < ZYGOTE_BERTHS; i++) {
		if (keeper->zygote.berths[i].keeper == number)
			return;
	}
	(void)waitpid((pid_t)number, NULL, WNOHANG);
}

void zygote_reap(struct keeper *keeper)
{
	struct zygote *zygote = &keeper->zygote;

	for (size_t i = 0; i < ZYGOTE_BERTHS; i++) {
		struct zygote_berth *berth = &zygote->berths[i];

		if (berth->keeper == 0 ||
		    waitpid(berth->keeper, NULL, WNOHANG) == 0)
			continue;
		system_close(berth->desk);
		*berth = (struct zygote_berth){ .desk = -1 };
	}
	/* Without CONFIG_PROC_CHILDREN they are reaped when we have gone. */
	if (keeper->plan->is_zygote)
		(void)proc_children(getpid(), getpid(), reap_orphan, keeper);
	if (zygote->is_closing && berth_count(zygote) == 0)
		keeper_end(keeper, CAUSE_NONE);
}

/*
 * Besides the first process of its cell; there are no berths yet.  What its
 * imports have started and waited for may still be about to end: vfork(2)
 * goes on before that.
 */
static bool is_alone(const struct keeper *keeper)
{
	static const struct timespec pause = { .tv_nsec = ENDING_PAUSE_NS };
	struct family_use use;

	for (int i = 0; i < ENDING_PAUSES; i++) {
		if (family_measure(keeper->init_pid, &use) < 0)
			return false;
		if (use.processes == 1)
			return true;
		if (nanosleep(&pause, NULL) < 0 && errno != EINTR)
			return false;
	}
	return false;
}

/* A zygote's own user may look at it; what it forks hides from all but root. */
const char *zygote_anomaly(const struct keeper *keeper)
{
	static const int known[] = { 0, 1, 2, PARK_DESCRIPTOR };
	const struct plan *plan = keeper->plan;
	uid_t uid = plan->is_zygote && plan->tier == TIER_A ?
		keeper->uid : geteuid();

	if (role_of(plan) == ROLE_CELL)
		return NULL;
	if (plan->is_zygote && !is_alone(keeper))
		return "processes";
	return scrutiny_anomaly(keeper->main_pidfd, uid, known,
			    sizeof(known) / sizeof(known[0]));
}
