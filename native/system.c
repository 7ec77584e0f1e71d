#define _GNU_SOURCE
#include "system.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* AT_* of fcntl.h; that header and linux/mount.h do not go together. */
#define EMPTY_PATH 0x1000

pid_t system_clone(uint64_t flags, int *pidfd)
{
	return system_clone_into(flags, pidfd, -1);
}

pid_t system_clone_into(uint64_t flags, int *pidfd, int cgroup)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		/* A sibling has that of whoever makes it: clone(2). */
		.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD,
	};
	pid_t pid;

	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned int)cgroup;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid >= 0 || errno != ENOSYS || cgroup >= 0)
		return pid;
	/*
	 * Docker's filter hides clone3, whose flags it cannot read.  The pidfd
	 * goes where the parent's thread id would: clone(2).
	 */
	return (pid_t)syscall(SYS_clone, args.flags | SIGCHLD, NULL, pidfd,
			      NULL, NULL);
}

int system_openat2(int directory, const char *path, uint64_t flags,
		   uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

int system_open_tree(int directory, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, directory, path, flags);
}

int system_move_mount(int from, int to)
{
	return (int)syscall(SYS_move_mount, from, "", to, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int system_mount_setattr(int tree, uint64_t set)
{
	struct mount_attr attributes = { .attr_set = set };

	return (int)syscall(SYS_mount_setattr, tree, "", EMPTY_PATH,
			    &attributes, sizeof(attributes));
}

int system_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

int system_fsconfig_string(int context, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key,
			    value, 0);
}

int system_fsconfig_create(int context)
{
	return (int)syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL,
			    NULL, 0);
}

int system_fsmount(int context, unsigned int attributes)
{
	return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
}

int system_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int system_pidfd_kill(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int system_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int system_close_range(unsigned int first)
{
	return (int)syscall(SYS_close_range, first, ~0U, 0);
}

int system_close_own(unsigned int first, unsigned int last)
{
	return (int)syscall(SYS_close_range, first, last,
			    CLOSE_RANGE_UNSHARE);
}

int system_seccomp(unsigned int operation, unsigned int flags, void *args)
{
	return (int)syscall(SYS_seccomp, operation, flags, args);
}

void system_close(int descriptor)
{
	if (descriptor >= 0 && close(descriptor) < 0)
		return;	/* EBADF is a bug, EINTR and EIO are closed: close(2) */
}

void system_end(int *descriptor)
{
	system_close(*descriptor);
	*descriptor = -1;
}

uint64_t system_now(void)
{
	struct timespec now;

	/* Fails only for a clock that does not exist: clock_gettime(2). */
	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int system_write(int descriptor, const void *bytes, size_t length)
{
	const unsigned char *next = bytes;

	while (length > 0) {
		ssize_t written = write(descriptor, next, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		next += written;
		length -= (size_t)written;
	}
	return 0;
}
