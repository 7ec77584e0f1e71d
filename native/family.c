#define _GNU_SOURCE
#include "family.h"

#include "proc.h"
#include "system.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 200000

/* Those that were found, each before its children. */
static pid_t found[FAMILY_MOST];
static size_t found_count;

static void add_child(int64_t pid, void *unused)
{
	(void)unused;	/* a proc_number like the others */
	if (found_count < FAMILY_MOST)
		found[found_count++] = (pid_t)pid;
}

static void add_children_of_thread(int64_t thread, void *process)
{
	const pid_t *pid = process;

	/* A thread that has ended meanwhile has no children of its own. */
	proc_children(*pid, (pid_t)thread, add_child, NULL);
}

/* Children belong to the thread that made them: proc_tid_children(5). */
static void add_children(pid_t pid)
{
	proc_threads(pid, add_children_of_thread, &pid);
}

/* -1 and errno when the kernel does not tell. */
static int find(pid_t ancestor)
{
	found_count = 0;
	if (proc_children(ancestor, ancestor, add_child, NULL) < 0)
		return -1;
	found_count = 0;
	add_children(ancestor);
	for (size_t i = 0; i < found_count; i++)
		add_children(found[i]);
	return 0;
}

int family_measure(pid_t ancestor, struct family_use *use)
{
	struct proc_use own;

	*use = (struct family_use){ 0 };
	if (find(ancestor) < 0 || proc_measure(ancestor, &own) < 0)
		return -1;
	/* What it waited for itself, when the parents had gone. */
	use->processor = own.processor;
	for (size_t i = 0; i < found_count; i++) {
		struct proc_use one;

		if (proc_measure(found[i], &one) < 0)
			continue;	/* has ended meanwhile */
		use->memory += one.memory;
		use->processor += one.processor;
		use->tasks += one.threads;
		use->processes += !one.is_dead;
	}
	return 0;
}

struct user_count {
	uid_t uid;
	int64_t tasks;
};

static void count_task(int64_t pid, void *into)
{
	struct user_count *count = into;
	struct proc_use one;

	if (proc_is_of((pid_t)pid, count->uid) &&
	    proc_measure((pid_t)pid, &one) == 0)
		count->tasks += (int64_t)one.threads;
}

int64_t family_tasks_of_user(uid_t uid)
{
	struct user_count count = { .uid = uid };

	return proc_processes(count_task, &count) < 0 ? -1 : count.tasks;
}

/* Whether there is nobody left to wait for. */
static bool reap(void)
{
	pid_t pid;

	do {
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
	} while (pid > 0);
	return pid < 0 && errno == ECHILD;
}

/*
 * Whoever is to be killed can have no more children, and the children of the
 * dead become ours: so after few rounds there are none.
 */
bool family_kill(uint64_t until)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };

	while (!reap()) {
		if (system_now() >= until || find(getpid()) < 0)
			return false;
		for (size_t i = 0; i < found_count; i++) {
			/* ESRCH: dead already, and reaped with the next round. */
			if (kill(found[i], SIGKILL) < 0 && errno != ESRCH)
				return false;
		}
		if (nanosleep(&pause, NULL) < 0 && errno != EINTR)
			return false;
	}
	return true;
}
