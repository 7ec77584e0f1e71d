#define _GNU_SOURCE
#include "keeper.h"

#include "clocks.h"
#include "family.h"
#include "packet.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void over(struct keeper *keeper)
{
	if (keeper->phase != PHASE_OVER)
		keeper->ended = system_now();
	keeper->phase = PHASE_OVER;
}

void keeper_fail(struct keeper *keeper, enum step step, int error)
{
	if (keeper->phase == PHASE_OVER)
		return;
	keeper->failed_step = step;
	keeper->failed_error = error;
	over(keeper);
}

void keeper_end(struct keeper *keeper, enum cause cause)
{
	if (keeper->phase == PHASE_OVER)
		return;
	keeper->cause = cause;
	over(keeper);
}

static void close_all(int *descriptors)
{
	for (int i = 0; i < HANDED_OVER; i++)
		system_end(&descriptors[i]);
}

/*
 * Takes a packet and its descriptors: as many as came, if the least did, or
 * none; -1 in each place without one.  A packet that did not fit is none of
 * ours: it has no length.
 */
static ssize_t receive(int link, struct message *message, int *descriptors)
{
	struct packet packet;
	ssize_t length;

	memset(message, 0, sizeof(*message));
	for (int i = 0; i < HANDED_OVER; i++)
		descriptors[i] = -1;
	length = packet_receive(link, message, sizeof(*message), &packet);
	if (length < 0)
		return errno == EPROTO ? 0 : -1;
	if (packet.count < HANDED_OVER_LEAST || packet.count > HANDED_OVER) {
		packet_close(&packet, 0);
		return packet.count > HANDED_OVER ? 0 : length;
	}
	memcpy(descriptors, packet.descriptors, packet.count * sizeof(int));
	return length;
}

/*
 * What comes after those that every cell hands over, by what the plan has;
 * what it has not is let go of.  False: something is missing.
 */
static bool take_rest(struct keeper *keeper, const int *rest)
{
	const struct plan *plan = keeper->plan;
	bool has_proxy = plan->proxy_socket != NULL;
	bool has_run = plan->is_parked && plan->place == NULL;
	int run = has_run ? rest[has_proxy] : -1;

	if ((has_proxy && rest[0] < 0) || (has_run && run < 0))
		return false;
	if (plan->is_parked && !has_run)
		run = fcntl(keeper->place.run, F_DUPFD_CLOEXEC, 0);
	if (plan->is_parked && run < 0)
		return false;
	keeper->park.run = run;
	bridge_start(&keeper->bridge, has_proxy ? rest[0] : -1,
		     plan->proxy_socket);
	for (int i = has_proxy + has_run; i < HANDED_OVER_REST; i++)
		system_close(rest[i]);
	return true;
}

static void begin_zygote(struct keeper *keeper, const int *descriptors)
{
	keeper->zygote.pid_namespace = descriptors[0];
	keeper->main_pidfd = descriptors[1];
	keeper->zygote.user_namespace = descriptors[2];
	keeper->phase = PHASE_PARKED;
}

/* A berth is there, but for its program. */
static void take_berth(struct keeper *keeper, const struct message *message,
		      const int *descriptors)
{
	keeper->tmp = descriptors[0];
	keeper->park.run = descriptors[1];
	keeper->landlock = message->landlock;
	berth_ask(keeper, descriptors + 2);
}

static void begin_running(struct keeper *keeper, const struct message *message,
			  int *descriptors)
{
	if (keeper->plan->is_zygote && descriptors[0] >= 0) {
		begin_zygote(keeper, descriptors);
		return;
	}
	if (descriptors[0] < 0 ||
	    !take_rest(keeper, descriptors + HANDED_OVER_LEAST)) {
		close_all(descriptors);
		keeper_fail(keeper, STEP_LISTENER, EBADF);
		return;
	}
	keeper->listener = descriptors[0];
	keeper->main_pidfd = descriptors[1];
	keeper->tmp = descriptors[2];
	keeper->landlock = message->landlock;
	keeper->may_exec = true;
	if (keeper->plan->is_parked) {
		keeper->phase = PHASE_PARKED;
		return;
	}
	clocks_start(keeper);
	keeper->phase = PHASE_RUNNING;
}

static int count_survivors(const struct keeper *keeper)
{
	struct family_use use;
	int count;

	if (keeper->cgroup.plan == NULL)
		return family_measure(keeper->init_pid, &use) < 0 ?
			0 : (int)use.processes;
	count = cgroup_count(&keeper->cgroup);
	/* One of them is the cell's first process. */
	return count > 1 ? count - 1 : 0;
}

void keeper_finish(struct keeper *keeper, const struct message *message)
{
	keeper->end = *message;
	keeper->has_ended = true;
	keeper->survivors = count_survivors(keeper);
	over(keeper);
}

static void hear_zygote(struct keeper *keeper, const struct message *message)
{
	const struct zygote_end end = {
		message->pid, message->wait_status, message->cpu_us,
	};

	if (message->kind == MESSAGE_CHILD)
		zygote_hear_end(keeper, &end);
	else if (message->kind == MESSAGE_ENDED)
		zygote_close(keeper);
	else
		keeper_fail(keeper, STEP_INIT_DIED, ESRCH);
}

/* Init was written by us, but lives beside a guest: nothing is believed. */
static void hear_init(struct keeper *keeper)
{
	struct message message;
	int descriptors[HANDED_OVER];
	ssize_t length = receive(keeper->link, &message, descriptors);
	bool is_whole = length == (ssize_t)sizeof(message);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (is_whole && message.kind == MESSAGE_STARTED &&
	    keeper->phase == PHASE_SETUP &&
	    role_of(keeper->plan) != ROLE_BERTH) {
		begin_running(keeper, &message, descriptors);
		return;
	}
	if (is_whole && message.kind == MESSAGE_READY &&
	    keeper->berth.guest_link >= 0 && descriptors[0] >= 0) {
		take_berth(keeper, &message, descriptors);
		return;
	}
	close_all(descriptors);
	if (is_whole && keeper->plan->is_zygote &&
	    keeper->phase == PHASE_PARKED)
		hear_zygote(keeper, &message);
	else if (is_whole && message.kind == MESSAGE_ENDED &&
	    keeper->phase != PHASE_SETUP)
		keeper_finish(keeper, &message);
	else if (is_whole && message.kind == MESSAGE_FAILED &&
		 message.step > STEP_NONE && message.step < STEP_COUNT)
		keeper_fail(keeper, message.step, message.error);
	else
		keeper_fail(keeper, STEP_INIT_DIED, ESRCH);
}

static void hear_signal(struct keeper *keeper)
{
	struct signalfd_siginfo signal;

	if (read(keeper->signals, &signal, sizeof(signal)) !=
	    (ssize_t)sizeof(signal))
		return;
	if (signal.ssi_signo == SIGCHLD) {
		zygote_reap(keeper);
		return;
	}
	if (keeper->phase != PHASE_RUNNING) {
		keeper_end(keeper, CAUSE_CANCELLED);
		return;
	}
	if (system_pidfd_kill(keeper->main_pidfd, (int)signal.ssi_signo) < 0 &&
	    errno != ESRCH)
		keeper_fail(keeper, STEP_SIGNALS, errno);
}

/* A pipe tells that its reader is gone, a socket also that it has said all. */
static void hear_status(struct keeper *keeper)
{
	keeper_end(keeper, CAUSE_CANCELLED);
}

void keeper_fill_rows(const struct keeper *keeper, struct pollfd *rows)
{
	bool is_waiting = keeper->plan->is_parked &&
			  keeper->phase < PHASE_RUNNING;

	rows[ROW_LINK] = (struct pollfd){ keeper->link, POLLIN, 0 };
	rows[ROW_LISTENER] = (struct pollfd){ keeper->listener, POLLIN, 0 };
	rows[ROW_SIGNALS] = (struct pollfd){ keeper->signals, POLLIN, 0 };
	rows[ROW_STATUS] = (struct pollfd){ STATUS_DESCRIPTOR,
					    keeper->status_events, 0 };
	rows[ROW_PARK] = (struct pollfd){ is_waiting ? keeper->park.guest : -1,
					  POLLIN, 0 };
	rows[ROW_JOB] = (struct pollfd){ is_waiting ? keeper->park.job : -1,
					 POLLIN, 0 };
	/* Who is looked at when ready, must be known before. */
	if (keeper->phase == PHASE_SETUP && role_of(keeper->plan) != ROLE_CELL)
		rows[ROW_PARK].fd = -1;
	rows[ROW_BERTH] = (struct pollfd){ keeper->berth.link, POLLIN, 0 };
	rows[ROW_DESK] = (struct pollfd){ keeper->berth.desk, POLLIN, 0 };
	rows[ROW_REGISTRY] = (struct pollfd){ keeper->zygote.registry[0],
					      POLLIN, 0 };
	relay_poll(&keeper->input, &rows[ROW_INPUT]);
	relay_poll(&keeper->output, &rows[ROW_OUTPUT]);
	relay_poll(&keeper->errors, &rows[ROW_ERRORS]);
	/* Nothing is read or written for whoever is not the program yet. */
	for (int row = ROW_INPUT; is_waiting && row < ROW_BRIDGE; row++)
		rows[row].fd = -1;
	bridge_poll(&keeper->bridge, &rows[ROW_BRIDGE]);
}

static void hear_listener(struct keeper *keeper, short events)
{
	if ((events & POLLIN) != 0) {
		listener_answer(keeper);
		return;
	}
	/* POLLHUP: nobody is left whom the filter holds. */
	system_end(&keeper->listener);
}

static void handle_rows(struct keeper *keeper, const struct pollfd *rows)
{
	if (rows[ROW_STATUS].revents != 0)
		hear_status(keeper);
	if (rows[ROW_SIGNALS].revents != 0)
		hear_signal(keeper);
	if (rows[ROW_LISTENER].revents != 0)
		hear_listener(keeper, rows[ROW_LISTENER].revents);
	if (rows[ROW_PARK].revents != 0)
		park_hear_guest(keeper);
	if (rows[ROW_JOB].revents != 0)
		park_hear_job(keeper);
	if (rows[ROW_REGISTRY].revents != 0)
		zygote_hear_registry(keeper);
	if (rows[ROW_BERTH].revents != 0)
		berth_hear_program(keeper);
	relay_move(&keeper->input, &rows[ROW_INPUT]);
	relay_move(&keeper->output, &rows[ROW_OUTPUT]);
	relay_move(&keeper->errors, &rows[ROW_ERRORS]);
	bridge_move(&keeper->bridge, &rows[ROW_BRIDGE]);
	if (keeper->output.is_over || keeper->errors.is_over)
		keeper_end(keeper, CAUSE_OUTPUT);
	if (rows[ROW_LINK].revents != 0 && keeper->phase != PHASE_OVER)
		hear_init(keeper);
	if (rows[ROW_DESK].revents != 0 && keeper->phase != PHASE_OVER)
		berth_hear_desk(keeper);
}

/* Without a proxy, the kernel need not look at the rows for one. */
nfds_t keeper_row_count(const struct keeper *keeper)
{
	return keeper->bridge.listener < 0 ? ROW_BRIDGE : ROWS;
}

void keeper_watch(struct keeper *keeper)
{
	while (keeper->phase != PHASE_OVER) {
		struct pollfd rows[ROWS];
		struct timespec left = clocks_left(keeper);

		keeper_fill_rows(keeper, rows);
		if (ppoll(rows, keeper_row_count(keeper), &left, NULL) < 0) {
			if (errno != EINTR)
				keeper_fail(keeper, STEP_TIME, errno);
			continue;
		}
		handle_rows(keeper, rows);
		if (keeper->phase != PHASE_OVER)
			clocks_check(keeper);
	}
}
