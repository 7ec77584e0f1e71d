#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A berth of tier A starts as nobody: who made it has to say who is who in its
 * user namespace.  Its ids there are those of the zygote's user.
 */
int namespaces_become_own_root(struct inside *inside)
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
int namespaces_open(struct inside *inside)
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
int namespaces_open_to_itself(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int namespaces_close_to_others(struct inside *inside)
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
int namespaces_map_users(struct inside *inside)
{
	int groups = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	int answer = groups < 0 ? -1 : system_write(groups, "deny", 4);

	system_close(groups);
	if (answer < 0 || write_map("/proc/self/uid_map", inside->uid,
				    inside->outer_uid) < 0)
		return -1;
	return write_map("/proc/self/gid_map", inside->uid, inside->outer_gid);
}

/* Only now: a cgroup namespace starts at the groups one is in. */
int namespaces_leave_cgroup_namespace(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return unshare(CLONE_NEWCGROUP);
}
