#define _GNU_SOURCE
#include "family.h"
#include "inside.h"
#include "packet.h"
#include "place.h"
#include "system.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void inside_tell(int link, const struct message *message,
		 const int *descriptors, size_t count)
{
	struct pollfd room = { link, POLLOUT, 0 };

	/* Its children may end faster than the keeper reads. */
	while (packet_send(link, message, sizeof(*message), descriptors,
			   count) < 0) {
		/* Without a keeper there is nobody to run for. */
		if (errno != EAGAIN || poll(&room, 1, -1) < 0)
			_exit(1);
	}
}

/* The keeper answers by killing the whole cell. */
_Noreturn void inside_fail(int link, enum step step, int error)
{
	const struct message message = {
		.kind = MESSAGE_FAILED, .step = step, .error = error,
	};

	inside_tell(link, &message, NULL, 0);
	_exit(1);
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
		inside_fail(inside->link, atomic_load(&inside->shared->step), error);
	inside_tell(inside->link, &message, NULL, 0);
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

	inside_tell(inside->link, &message, NULL, 0);
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
_Noreturn void supervisor_live(const struct inside *inside)
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
