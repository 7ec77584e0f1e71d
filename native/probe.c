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
	{ "mount", mount_tmpfs },
	{ "openat2", open_beneath },
	{ "own-uid", change_uid },
	{ "seccomp-listener", load_listener },
};

int probe_print(void)
{
	const char *records;
	size_t length;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
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
