#define _GNU_SOURCE
#include "probe.h"

#include "inside.h"
#include "status.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int unshare_mounts(void)
{
	return unshare(CLONE_NEWNS);
}

static int unshare_pids(void)
{
	return unshare(CLONE_NEWPID);
}

static int unshare_network(void)
{
	return unshare(CLONE_NEWNET);
}

static int unshare_others(void)
{
	return unshare(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
}

static int unshare_users(void)
{
	return unshare(CLONE_NEWUSER);
}

/* Being allowed a namespace is not being allowed to mount in it. */
static int mount_tmpfs(void)
{
	int context, tree;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	context = system_fsopen("tmpfs");
	if (context < 0 || system_fsconfig_create(context) < 0)
		return -1;
	tree = system_fsmount(context, MOUNT_ATTR_NOSUID);
	return tree < 0 ? -1 : system_mount_setattr(tree, MOUNT_ATTR_RDONLY);
}

/* One row each; the id inside does not matter. */
static int map_self(const char *path, unsigned int id)
{
	char row[64];
	int file = open(path, O_WRONLY | O_CLOEXEC), answer;
	int length = snprintf(row, sizeof(row), "1000 %u 1\n", id);

	if (file < 0)
		return -1;
	answer = system_write(file, row, (size_t)length);
	system_close(file);
	return answer;
}

/* Ubuntu lets everybody have a user namespace and nobody mount in it. */
static int make_user_cell(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int groups;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
		    CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return -1;
	groups = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (groups < 0 || system_write(groups, "deny", 4) < 0 ||
	    map_self("/proc/self/uid_map", uid) < 0 ||
	    map_self("/proc/self/gid_map", gid) < 0)
		return -1;
	return mount_tmpfs();
}

static int change_root(void)
{
	return chroot("/");
}

/* What is measured where no control group counts. */
static int read_children(void)
{
	char path[64], byte;
	int file, answer;

	if (snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		     getpid()) < 0)
		return -1;
	file = open(path, O_RDONLY | O_CLOEXEC);
	answer = file < 0 ? -1 : (int)read(file, &byte, 1);
	system_close(file);
	return answer;
}

static int open_beneath(void)
{
	return system_openat2(AT_FDCWD, "/", O_PATH | O_CLOEXEC,
			      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static int load_listener(void)
{
	struct sock_filter allow =
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return system_seccomp(SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int change_uid(void)
{
	return setresuid(65500, 65500, 65500);
}

/* In a child, since most of these cannot be undone. Its errno, or 0. */
static int try_in_child(int (*feature)(void))
{
	int status, pidfd;
	pid_t pid = system_clone(0, &pidfd);

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(feature() < 0 ? errno : 0);
	system_close(pidfd);
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}

static const struct {
	const char *name;
	int (*feature)(void);
} features[] = {
	{ "mount-namespace", unshare_mounts },
	{ "pid-namespace", unshare_pids },
	{ "network-namespace", unshare_network },
	{ "other-namespaces", unshare_others },
	{ "user-namespace", unshare_users },
	{ "user-cell", make_user_cell },
	{ "chroot", change_root },
	{ "children", read_children },
	{ "mount", mount_tmpfs },
	{ "openat2", open_beneath },
	{ "own-uid", change_uid },
	{ "seccomp-listener", load_listener },
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

bool probe_has(const char *name)
{
	static enum { UNKNOWN, NO, YES } known[FEATURES];

	if (strcmp(name, "landlock") == 0)
		return landlock_version() > 0;
	for (size_t i = 0; i < FEATURES; i++) {
		if (strcmp(name, features[i].name) != 0)
			continue;
		if (known[i] == UNKNOWN)
			known[i] = try_in_child(features[i].feature) == 0 ?
				YES : NO;
		return known[i] == YES;
	}
	return false;
}

int probe_print(void)
{
	const char *records;
	size_t length;

	for (size_t i = 0; i < FEATURES; i++) {
		int error = try_in_child(features[i].feature);

		status_key(features[i].name);
		status_word(error == 0 ? "yes" : "no");
		if (error != 0)
			status_number(error);
		status_end();
	}
	status_key("landlock");
	status_number(landlock_version());
	status_end();
	records = status_records(&length);
	return system_write(STDOUT_FILENO, records, length) < 0;
}
