#ifndef CGROUP_H
#define CGROUP_H

#include "plan.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * The control groups of one run.  Which files there are is the plan's
 * knowledge; here they are only made, written, read and removed.
 */
struct cgroup {
	const struct plan *plan;
	size_t made;	/* directories that exist because of us */
	int cpu;	/* descriptor of the CPU time file, or -1 */
};

/* Makes the directories and writes the limits.  0, or -1 and errno. */
int cgroup_create(struct cgroup *cgroup, const struct plan *plan);
/* Puts the calling process, which must have one thread, into the groups. */
int cgroup_join(const struct plan *plan);

/* Puts another process with one thread there, by its number. */
int cgroup_admit(const struct plan *plan, pid_t pid);
/* Whether the process is in the first group. */
bool cgroup_has(const struct cgroup *cgroup, pid_t pid);

/* CPU time used so far, in nanoseconds; -1 and errno. */
int64_t cgroup_cpu(const struct cgroup *cgroup);

/* Processes in the first group; -1 and errno. */
int cgroup_count(const struct cgroup *cgroup);

/* Writes the `reading` records. */
void cgroup_report(const struct cgroup *cgroup);

/*
 * Removes the directories, which the kernel allows only when they are empty.
 * Tries for up to a second.  0, or -1 and errno of the last attempt.
 */
int cgroup_remove(struct cgroup *cgroup);

#endif
