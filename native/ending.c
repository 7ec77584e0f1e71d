#define _GNU_SOURCE
#include "family.h"
#include "keeper.h"
#include "system.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define DEATH_MS 2000

static bool await_death(const struct keeper *keeper, siginfo_t *info)
{
	struct pollfd row = { keeper->init_pidfd, POLLIN, 0 };

	return poll(&row, 1, DEATH_MS) == 1 &&
	       waitid(P_PIDFD, (id_t)keeper->init_pidfd, info, WEXITED) == 0;
}

/* The death of pid 1 is complete when all of its namespace is dead. */
static bool kill_cell(const struct keeper *keeper)
{
	siginfo_t info;

	if (keeper->init_pidfd < 0)
		return true;
	if (system_pidfd_kill(keeper->init_pidfd, SIGKILL) < 0 &&
	    errno != ESRCH)
		return false;
	return await_death(keeper, &info);
}

/*
 * Without a process namespace the first process kills all others, since they
 * are its descendants, when it sees that the link has ended.  If it cannot,
 * they are ours as soon as it is dead.
 */
static bool end_family(struct keeper *keeper)
{
	siginfo_t info = { .si_code = CLD_KILLED };

	if (keeper->init_pidfd < 0)
		return true;
	/* It may be dead already. */
	if (send(keeper->link, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		return false;
	system_end(&keeper->link);
	if (await_death(keeper, &info) && info.si_code == CLD_EXITED &&
	    info.si_status == 0)
		return true;
	if (system_pidfd_kill(keeper->init_pidfd, SIGKILL) < 0 &&
	    errno != ESRCH)
		return false;
	return family_kill(system_now() + DEATH_MS * MS);
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
	bool is_placed = (TIERS(keeper->plan->tier) & TIERS_PLACED) != 0;
	bool is_dead = is_placed ? end_family(keeper) : kill_cell(keeper);

	bridge_end(&keeper->bridge);
	if (keeper->plan->proxy_socket != NULL)
		bridge_remove(keeper->plan->proxy_socket);
	/* Whose owner may have been killed; it may also be gone already. */
	if (keeper->plan->zygote_socket != NULL)
		(void)unlink(keeper->plan->zygote_socket);
	keeper->is_cell_dead = is_dead && keeper->init_pidfd >= 0;
	park_settle(keeper);
	keeper->is_tmp_full = !is_placed && is_full(keeper->tmp);
	if (keeper->cgroup.plan != NULL)
		cgroup_report(&keeper->cgroup);
	keeper->is_cleanup_proven = is_dead &&
		(keeper->cgroup.plan == NULL ||
		 cgroup_remove(&keeper->cgroup) == 0);
}

void keeper_leave_place(struct keeper *keeper)
{
	if (keeper->plan->place != NULL &&
	    !place_clean(&keeper->place, keeper->plan, DEATH_MS))
		keeper->is_cleanup_proven = false;
}

/* A slow reader may take its time: what it waits for cannot harm any more. */
void keeper_drain(struct keeper *keeper)
{
	while (!park_is_unused(keeper)) {
		struct pollfd rows[ROWS];
		bool has_output = relay_drain(&keeper->output);
		bool has_errors = relay_drain(&keeper->errors);

		if (!has_output && !has_errors)
			break;
		keeper_fill_rows(keeper, rows);
		rows[ROW_LINK].fd = -1;
		rows[ROW_LISTENER].fd = -1;
		rows[ROW_INPUT].fd = -1;
		rows[ROW_INPUT + 1].fd = -1;
		if (ppoll(rows, keeper_row_count(keeper), NULL, NULL) < 0 ||
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
