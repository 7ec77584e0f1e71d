/*
 * Tells what this host lets a process do: one `name ok` or `name ERRNO` a
 * line.  Each is tried by a child of its own, and leaves nothing behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_UID 1800123456

static char folder[] = "/tmp/host-probe-XXXXXX";

static int try_chroot(void)
{
	return chroot("/tmp");
}

static int try_setuid(void)
{
	return setresuid(OTHER_UID, OTHER_UID, OTHER_UID);
}

static int try_mount_namespace(void)
{
	return unshare(CLONE_NEWNS);
}

static int try_pid_namespace(void)
{
	return unshare(CLONE_NEWPID);
}

static int try_network_namespace(void)
{
	return unshare(CLONE_NEWNET);
}

static int write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		return -1;
	return write(file, text, strlen(text)) < 0 ? -1 : close(file);
}

/* With everything that a cell needs of it, not the call alone. */
static int enter_user_namespace(int flags)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | flags) < 0)
		return -1;
	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	if (write_text("/proc/self/uid_map", map) < 0 ||
	    write_text("/proc/self/setgroups", "deny") < 0)
		return -1;
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	return write_text("/proc/self/gid_map", map);
}

static int try_user_namespace(void)
{
	return enter_user_namespace(0);
}

static int mount_tmpfs(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, NULL);
}

static int pivot(void)
{
	return mount_tmpfs() < 0 || chdir(folder) < 0 ? -1 :
		(int)syscall(SYS_pivot_root, ".", ".");
}

static int try_mount(void)
{
	return unshare(CLONE_NEWNS) < 0 ? -1 : mount_tmpfs();
}

static int try_pivot_root(void)
{
	return unshare(CLONE_NEWNS) < 0 ? -1 : pivot();
}

static int try_user_mount(void)
{
	return enter_user_namespace(CLONE_NEWNS) < 0 ? -1 : mount_tmpfs();
}

static int try_user_pivot_root(void)
{
	return enter_user_namespace(CLONE_NEWNS) < 0 ? -1 : pivot();
}

static int mount_proc(void)
{
	return mount("proc", folder, "proc",
		     MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* A new proc needs a process in the new pid namespace: pid_namespaces(7). */
static int proc_in_child(void)
{
	int status;
	pid_t pid;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		_exit(mount_proc() < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	errno = WEXITSTATUS(status);
	return errno == 0 ? 0 : -1;
}

static int try_proc(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ? -1 : proc_in_child();
}

static int try_user_proc(void)
{
	return enter_user_namespace(CLONE_NEWNS | CLONE_NEWPID) < 0 ?
		-1 : proc_in_child();
}

static int try_clone3(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

/* Version 1 where it has the memory, else 2; a container sees its own part. */
static int try_cgroup(void)
{
	const char *directory = access("/sys/fs/cgroup/memory", F_OK) == 0 ?
		"/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
	char path[64];

	snprintf(path, sizeof(path), "%s/host-probe-%d", directory, getpid());
	return mkdir(path, 0755) < 0 ? -1 : rmdir(path);
}

static int try_landlock(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? 0 : -1;
}

static int try_listener(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_acct, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int try_device(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/null", folder);
	if (mknod(path, S_IFCHR | 0666, makedev(1, 3)) < 0)
		return -1;
	return unlink(path);
}

static int try_keys(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 0, 0, 0);
}

static int try_io_uring(void)
{
	return (int)syscall(SYS_io_uring_setup, 0, NULL);
}

static int try_sysctl(void)
{
	int file = open("/proc/sys/kernel/core_pattern", O_WRONLY);

	return file < 0 ? -1 : close(file);
}

static int try_masked(void)
{
	char byte;
	int file = open("/proc/keys", O_RDONLY);

	if (file < 0)
		return -1;
	errno = ENODATA;
	return read(file, &byte, 1) == 1 ? 0 : -1;
}

static const struct {
	const char *name;
	int (*feature)(void);
} features[] = {
	{ "chroot", try_chroot },
	{ "setuid", try_setuid },
	{ "mount-namespace", try_mount_namespace },
	{ "pid-namespace", try_pid_namespace },
	{ "network-namespace", try_network_namespace },
	{ "mount", try_mount },
	{ "pivot-root", try_pivot_root },
	{ "proc", try_proc },
	{ "user-namespace", try_user_namespace },
	{ "user-mount", try_user_mount },
	{ "user-pivot-root", try_user_pivot_root },
	{ "user-proc", try_user_proc },
	{ "clone3", try_clone3 },
	{ "cgroup", try_cgroup },
	{ "landlock", try_landlock },
	{ "listener", try_listener },
	{ "device", try_device },
	{ "keyctl", try_keys },
	{ "io-uring", try_io_uring },
	{ "sysctl", try_sysctl },
	{ "masked-proc", try_masked },
};

int main(void)
{
	int is_made = mkdtemp(folder) != NULL;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(features[i].feature() < 0 ? errno : 0);
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			return 1;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			printf("%s ok\n", features[i].name);
		else
			printf("%s %s\n", features[i].name,
			       WIFEXITED(status) ?
			       strerrorname_np(WEXITSTATUS(status)) :
			       "killed");
		fflush(stdout);
	}
	return is_made && rmdir(folder) == 0 ? 0 : 1;
}
