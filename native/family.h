#ifndef FAMILY_H
#define FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More than a cell may have; beyond, the rest is found in the next round. */
#define FAMILY_MOST 8192

/* What a process and all that come from it use at one moment. */
struct family_use {
	uint64_t memory;	/* bytes that belong to them alone */
	uint64_t processor;	/* ns; with children that were waited for */
	uint64_t tasks;		/* processes and threads */
	size_t processes;	/* that are alive */
};

/*
 * Measures the descendants of `ancestor`, without itself.  0, or -1 and
 * errno: then this kernel does not tell children (CONFIG_PROC_CHILDREN).
 * Source: proc_tid_children(5).
 */
int family_measure(pid_t ancestor, struct family_use *use);

/* Processes and threads of this user on the whole machine; -1 and errno. */
int64_t family_tasks_of_user(uid_t uid);

/*
 * Kills and reaps all descendants of this process, which has to be a
 * subreaper, until it has none or `until` (system_now) has come.  Whether
 * none is left.
 */
bool family_kill(uint64_t until);

#endif
