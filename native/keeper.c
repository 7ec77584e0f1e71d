#define _GNU_SOURCE
#include "keeper.h"
#include "system.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
/* For a machine under heavy load; else it takes milliseconds. */
#define SETUP_NS (30000 * MS)
#define CPU_PAUSE_NS (5 * MS)
#define DEATH_MS 2000

enum row {
	ROW_LINK,
	ROW_LISTENER,
	ROW_SIGNALS,
	ROW_STATUS,
	ROW_INPUT,
	ROW_OUTPUT = ROW_INPUT + 2,
	ROW_ERRORS = ROW_OUTPUT + 2,
	ROWS = ROW_ERRORS + 2,
};

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

/* Takes the descriptors of a packet, which has HANDED_OVER of them or none. */
static ssize_t receive(int link, struct message *message, int *descriptors)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(HANDED_OVER * sizeof(int))];
	} control;
	struct iovec bytes = { message, sizeof(*message) };
	struct msghdr packet = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length;

	memset(&control, 0, sizeof(control));
	length = recvmsg(link, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	for (int i = 0; i < HANDED_OVER; i++)
		descriptors[i] = -1;
	if (length > 0 &&
	    packet.msg_controllen >= CMSG_LEN(HANDED_OVER * sizeof(int)))
		memcpy(descriptors, CMSG_DATA(&control.header),
		       HANDED_OVER * sizeof(int));
	return length;
}

static void begin_running(struct keeper *keeper, const struct message *message,
			  const int *descriptors)
{
	if (descriptors[0] < 0) {
		keeper_fail(keeper, STEP_LISTENER, EBADF);
		return;
	}
	keeper->listener = descriptors[0];
	keeper->main_pidfd = descriptors[1];
	keeper->tmp = descriptors[2];
	keeper->landlock = message->landlock;
	keeper->may_exec = true;
	keeper->started = system_now();
	keeper->next_cpu_check = keeper->started;
	keeper->phase = PHASE_RUNNING;
}

static void finish_running(struct keeper *keeper, const struct message *message)
{
	int count = cgroup_count(&keeper->cgroup);

	keeper->end = *message;
	keeper->has_ended = true;
	/* One of them is the cell's first process. */
	keeper->survivors = count > 1 ? count - 1 : 0;
	over(keeper);
}

static void hear_init(struct keeper *keeper)
{
	struct message message;
	int descriptors[HANDED_OVER];
	ssize_t length = receive(keeper->link, &message, descriptors);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length != (ssize_t)sizeof(message)) {
		keeper_fail(keeper, STEP_INIT_DIED, ESRCH);
		return;
	}
	if (message.kind == MESSAGE_STARTED)
		begin_running(keeper, &message, descriptors);
	else if (message.kind == MESSAGE_ENDED)
		finish_running(keeper, &message);
	else
		keeper_fail(keeper, message.step, message.error);
}

static void hear_signal(struct keeper *keeper)
{
	struct signalfd_siginfo signal;

	if (read(keeper->signals, &signal, sizeof(signal)) !=
	    (ssize_t)sizeof(signal))
		return;
	if (keeper->phase == PHASE_SETUP) {
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

/* The soonest time at which the limit can be reached, on all processors. */
static void check_cpu(struct keeper *keeper, uint64_t now)
{
	int64_t limit = (int64_t)(keeper->plan->cpu_ms * MS);
	int64_t used = cgroup_cpu(&keeper->cgroup);
	uint64_t pause;

	if (used < 0) {
		keeper_fail(keeper, STEP_CGROUP, errno);
		return;
	}
	if (used >= limit) {
		keeper_end(keeper, CAUSE_CPU);
		return;
	}
	pause = (uint64_t)(limit - used) / (uint64_t)keeper->processors;
	keeper->next_cpu_check = now +
		(pause < CPU_PAUSE_NS ? CPU_PAUSE_NS : pause);
}

static uint64_t wall_end(const struct keeper *keeper)
{
	if (keeper->phase == PHASE_SETUP)
		return keeper->began + SETUP_NS;
	return keeper->started + keeper->plan->wall_ms * MS;
}

static void check_clocks(struct keeper *keeper)
{
	uint64_t now = system_now();

	if (now >= wall_end(keeper)) {
		if (keeper->phase == PHASE_SETUP)
			keeper_fail(keeper, STEP_TIME, ETIMEDOUT);
		else
			keeper_end(keeper, CAUSE_WALL);
		return;
	}
	if (keeper->phase == PHASE_RUNNING && now >= keeper->next_cpu_check)
		check_cpu(keeper, now);
}

static struct timespec time_left(const struct keeper *keeper)
{
	uint64_t now = system_now(), until = wall_end(keeper), left;

	if (keeper->phase == PHASE_RUNNING && keeper->next_cpu_check < until)
		until = keeper->next_cpu_check;
	left = until > now ? until - now : 0;
	return (struct timespec){
		.tv_sec = (time_t)(left / (1000 * MS)),
		.tv_nsec = (long)(left % (1000 * MS)),
	};
}

static void fill_rows(const struct keeper *keeper, struct pollfd *rows)
{
	rows[ROW_LINK] = (struct pollfd){ keeper->link, POLLIN, 0 };
	rows[ROW_LISTENER] = (struct pollfd){ keeper->listener, POLLIN, 0 };
	rows[ROW_SIGNALS] = (struct pollfd){ keeper->signals, POLLIN, 0 };
	rows[ROW_STATUS] = (struct pollfd){ STATUS_DESCRIPTOR,
					    keeper->status_events, 0 };
	relay_poll(&keeper->input, &rows[ROW_INPUT]);
	relay_poll(&keeper->output, &rows[ROW_OUTPUT]);
	relay_poll(&keeper->errors, &rows[ROW_ERRORS]);
}

static void hear_listener(struct keeper *keeper, short events)
{
	if ((events & POLLIN) != 0) {
		listener_answer(keeper);
		return;
	}
	/* POLLHUP: nobody is left whom the filter holds. */
	system_close(keeper->listener);
	keeper->listener = -1;
}

static void handle_rows(struct keeper *keeper, const struct pollfd *rows)
{
	if (rows[ROW_STATUS].revents != 0)
		hear_status(keeper);
	if (rows[ROW_SIGNALS].revents != 0)
		hear_signal(keeper);
	if (rows[ROW_LISTENER].revents != 0)
		hear_listener(keeper, rows[ROW_LISTENER].revents);
	relay_move(&keeper->input, &rows[ROW_INPUT]);
	relay_move(&keeper->output, &rows[ROW_OUTPUT]);
	relay_move(&keeper->errors, &rows[ROW_ERRORS]);
	if (keeper->output.is_over || keeper->errors.is_over)
		keeper_end(keeper, CAUSE_OUTPUT);
	if (rows[ROW_LINK].revents != 0 && keeper->phase != PHASE_OVER)
		hear_init(keeper);
}

void keeper_watch(struct keeper *keeper)
{
	while (keeper->phase != PHASE_OVER) {
		struct pollfd rows[ROWS];
		struct timespec left = time_left(keeper);

		fill_rows(keeper, rows);
		if (ppoll(rows, ROWS, &left, NULL) < 0) {
			if (errno != EINTR)
				keeper_fail(keeper, STEP_TIME, errno);
			continue;
		}
		handle_rows(keeper, rows);
		if (keeper->phase != PHASE_OVER)
			check_clocks(keeper);
	}
}

/* The death of pid 1 is complete when all of its namespace is dead. */
static bool kill_cell(const struct keeper *keeper)
{
	struct pollfd row = { keeper->init_pidfd, POLLIN, 0 };
	siginfo_t info;

	if (keeper->init_pidfd < 0)
		return true;
	if (system_pidfd_kill(keeper->init_pidfd, SIGKILL) < 0 &&
	    errno != ESRCH)
		return false;
	if (poll(&row, 1, DEATH_MS) != 1)
		return false;
	return waitid(P_PIDFD, (id_t)keeper->init_pidfd, &info, WEXITED) == 0;
}

/* Of a dead cell, so that nobody changes it any more. */
static bool is_full(int tmp)
{
	struct statfs status;

	return tmp >= 0 && fstatfs(tmp, &status) == 0 &&
	       (status.f_bfree == 0 || status.f_ffree == 0);
}

void keeper_clean_up(struct keeper *keeper)
{
	bool is_dead = kill_cell(keeper);

	keeper->is_tmp_full = is_full(keeper->tmp);
	system_close(keeper->tmp);
	if (keeper->cgroup.plan != NULL)
		cgroup_report(&keeper->cgroup);
	keeper->is_cleanup_proven = is_dead &&
		(keeper->cgroup.plan == NULL ||
		 cgroup_remove(&keeper->cgroup) == 0);
}

/* A slow reader may take its time: what it waits for cannot harm any more. */
void keeper_drain(struct keeper *keeper)
{
	for (;;) {
		struct pollfd rows[ROWS];
		bool has_output = relay_drain(&keeper->output);
		bool has_errors = relay_drain(&keeper->errors);

		if (!has_output && !has_errors)
			break;
		fill_rows(keeper, rows);
		rows[ROW_LINK].fd = -1;
		rows[ROW_LISTENER].fd = -1;
		rows[ROW_INPUT].fd = -1;
		rows[ROW_INPUT + 1].fd = -1;
		if (ppoll(rows, ROWS, NULL, NULL) < 0 ||
		    rows[ROW_STATUS].revents != 0 ||
		    rows[ROW_SIGNALS].revents != 0)
			break;
		relay_move(&keeper->output, &rows[ROW_OUTPUT]);
		relay_move(&keeper->errors, &rows[ROW_ERRORS]);
	}
	if (keeper->cause == CAUSE_NONE &&
	    (keeper->output.is_over || keeper->errors.is_over))
		keeper->cause = CAUSE_OUTPUT;
}
