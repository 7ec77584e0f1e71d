#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_SETUP_FAILED 125
/* Newer than the build machine's header; source: Linux 5.19 uapi. */
#define WAIT_KILLABLE_RECV (1U << 5)

static int start_session(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	umask(022);
	return setsid() < 0 ? -1 : 0;
}

/* Ignored signals and the mask would outlive execve(2). */
static int reset_signals(struct inside *inside)
{
	sigset_t none;

	(void)inside;	/* a step_function like the others */
	for (int number = 1; number < NSIG; number++) {
		if (signal(number, SIG_DFL) == SIG_ERR && errno != EINVAL)
			return -1;
	}
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Lowers both; what is lower already, and cannot be raised, is as good. */
static int set_rlimits(struct inside *inside)
{
	for (size_t i = 0; i < inside->plan->rlimit_count; i++) {
		const struct plan_rlimit *row = &inside->plan->rlimits[i];
		struct rlimit limit;

		if (getrlimit((int)row->resource, &limit) < 0)
			return -1;
		if (row->hard < limit.rlim_max)
			limit.rlim_max = row->hard;
		limit.rlim_cur = row->soft < limit.rlim_max ?
			row->soft : limit.rlim_max;
		if (setrlimit((int)row->resource, &limit) < 0)
			return -1;
	}
	return 0;
}

/* No program file and no user id 0 shall ever give a capability back. */
static int lock_capabilities(struct inside *inside)
{
	const unsigned long locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		SECBIT_NO_CAP_AMBIENT_RAISE |
		SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	(void)inside;	/* a step_function like the others */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	for (unsigned long number = 0; number < 64; number++) {
		/* EINVAL: the kernel has no more capabilities. */
		if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) {
			if (errno != EINVAL || number <= CAP_CHECKPOINT_RESTORE)
				return -1;
			break;
		}
	}
	return prctl(PR_SET_SECUREBITS, locked, 0, 0, 0);
}

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return true;
	return (sets[0].effective | sets[0].permitted | sets[0].inheritable |
		sets[1].effective | sets[1].permitted |
		sets[1].inheritable) != 0;
}

int guest_clear_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	if (syscall(SYS_capset, &header, none) < 0)
		return -1;
	if (has_capabilities()) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* Checked afterwards: setresuid(2) can succeed in part of its intent. */
static int change_identity(struct inside *inside)
{
	uid_t wanted = inside->uid, uids[3], gids[3];

	if (setgroups(0, NULL) < 0 ||
	    setresgid(wanted, wanted, wanted) < 0 ||
	    setresuid(wanted, wanted, wanted) < 0 ||
	    guest_clear_capabilities() < 0 ||
	    getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if (uids[i] != wanted || gids[i] != wanted) {
			errno = EPERM;
			return -1;
		}
	}
	return getgroups(0, NULL) == 0 ? 0 : -1;
}

static int forbid_new_privileges(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		errno = EPERM;
		return -1;
	}
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* After the change of identity: a folder that only root may enter is none. */
static int enter_directory(struct inside *inside)
{
	return chdir(inside->plan->directory);
}

static int confine_by_landlock(struct inside *inside)
{
	int version = landlock_confine(inside->plan->executable_tmp);

	if (version < 0)
		return -1;
	atomic_store(&inside->shared->landlock, version);
	return 0;
}

static int load_filter(struct inside *inside)
{
	struct sock_fprog program = {
		.len = (unsigned short)inside->plan->filter_length,
		/* The kernel only reads it; seccomp(2) has no const form. */
		.filter = (struct sock_filter *)(uintptr_t)inside->plan->filter,
	};
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int listener = system_seccomp(SECCOMP_SET_MODE_FILTER,
				      flags | WAIT_KILLABLE_RECV, &program);

	/* Kernels before 5.19 do not know the flag. */
	if (listener < 0 && errno == EINVAL)
		listener = system_seccomp(SECCOMP_SET_MODE_FILTER, flags,
					  &program);
	if (listener < 0)
		return -1;
	/* From here on no system call but execve: init learns it by memory. */
	atomic_store(&inside->shared->listener, listener);
	return 0;
}

static _Noreturn void fail(struct shared *shared, enum step step)
{
	atomic_store(&shared->step, step);
	atomic_store(&shared->error, errno);
	for (;;) {
		/* The filter may deny it; then nothing is left but to fault. */
		syscall(SYS_exit_group, STATUS_SETUP_FAILED);
		__builtin_trap();
	}
}

/*
 * The order: rlimits and the bounding set need privileges; the identity gives
 * them up; no_new_privs must come before the two layers that need it; what
 * Landlock needs to open must be opened before the filter; and the filter is
 * last, so that it need allow nothing of all this.
 */
static const struct step_row steps[] = {
	{ STEP_SESSION, start_session },
	{ STEP_SIGNALS, reset_signals },
	{ STEP_RLIMITS, set_rlimits },
	{ STEP_CAPABILITIES, lock_capabilities },
	{ STEP_IDENTITY, change_identity },
	{ STEP_NO_NEW_PRIVILEGES, forbid_new_privileges },
	{ STEP_DIRECTORY, enter_directory },
	{ STEP_LANDLOCK, confine_by_landlock },
	{ STEP_FILTER, load_filter },
};

_Noreturn void guest_become_program(struct inside *inside)
{
	const struct plan *plan = inside->plan;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].run(inside) < 0)
			fail(inside->shared, steps[i].step);
	}
	/* execve(2) promises not to change them, its prototype does not. */
	execve(plan->arguments[0],
	       (char *const *)(uintptr_t)plan->arguments,
	       (char *const *)(uintptr_t)plan->variables);
	fail(inside->shared, STEP_EXEC);
}
