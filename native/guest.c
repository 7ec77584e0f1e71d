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

/* The kernel counts all processes of a user, also those outside. */
static uint64_t others(const struct inside *inside, uint32_t resource)
{
	return resource == RLIMIT_NPROC ? inside->tasks : 0;
}

/* Lowers both; what is lower already, and cannot be raised, is as good. */
static int set_rlimits(struct inside *inside)
{
	for (size_t i = 0; i < inside->plan->rlimit_count; i++) {
		const struct plan_rlimit *row = &inside->plan->rlimits[i];
		struct rlimit limit;
		rlim_t hard, soft;

		if (getrlimit(row->resource, &limit) < 0)
			return -1;
		hard = row->hard + others(inside, row->resource);
		soft = row->soft + others(inside, row->resource);
		if (hard < limit.rlim_max)
			limit.rlim_max = hard;
		limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
		if (setrlimit(row->resource, &limit) < 0)
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

int guest_keep_capabilities(uint32_t kept)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2];

	memset(sets, 0, sizeof(sets));
	sets[0].effective = kept;
	sets[0].permitted = kept;
	if (syscall(SYS_capset, &header, sets) < 0)
		return -1;
	if (kept == 0 && has_capabilities()) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/*
 * Checked afterwards: setresuid(2) can succeed in part of its intent.  In a
 * user namespace that the user made, nobody may leave groups; they count for
 * nothing there, since no path leads to a file of theirs.
 */
static int change_identity(struct inside *inside)
{
	uid_t wanted = inside->uid, uids[3], gids[3];
	bool is_own = inside->plan->tier != TIER_B;

	if ((is_own && setgroups(0, NULL) < 0) ||
	    setresgid(wanted, wanted, wanted) < 0 ||
	    setresuid(wanted, wanted, wanted) < 0 ||
	    guest_keep_capabilities(0) < 0 ||
	    getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return -1;
	errno = EPERM;
	for (int i = 0; i < 3; i++) {
		if (uids[i] != wanted || gids[i] != wanted)
			return -1;
	}
	return is_own && getgroups(0, NULL) != 0 ? -1 : 0;
}

/* Where there is no other identity to be had. */
static int give_up_capabilities(struct inside *inside)
{
	(void)inside;	/* a step_function like the others */
	return guest_keep_capabilities(0);
}

/* Only as long as there is a capability for it; the cell never has it. */
static int enter_slot(struct inside *inside)
{
	return chroot(inside->place) < 0 ? -1 : chdir("/");
}

/* Without a namespace that would end with init; a new identity clears it. */
static int die_with_init(struct inside *inside)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -1;
	errno = ESRCH;
	return getppid() == inside->init_pid ? 0 : -1;
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
	int version = landlock_confine(inside);

	if (version < 0)
		return -1;
	atomic_store(&inside->shared->landlock, version);
	return 0;
}

/* Where the filter lets signals go to the program itself only. */
static void name_process(struct plan *plan)
{
	for (size_t i = 0; i < plan->filter_length; i++) {
		if (plan->filter[i].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
		    plan->filter[i].k == PLAN_PROCESS)
			plan->filter[i].k = (uint32_t)getpid();
	}
}

static int confine_zygote(struct inside *inside, struct sock_fprog *program)
{
	if (system_seccomp(SECCOMP_SET_MODE_FILTER, 0, program) < 0)
		return -1;
	atomic_store(&inside->shared->is_confined, 1);
	return 0;
}

static int load_filter(struct inside *inside)
{
	struct sock_fprog program = {
		.len = (unsigned short)inside->plan->filter_length,
		.filter = inside->plan->filter,
	};
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int listener;

	name_process(inside->plan);
	/* Those that it forks have listeners, of which there can be one. */
	if (inside->plan->is_zygote)
		return confine_zygote(inside, &program);
	listener = system_seccomp(SECCOMP_SET_MODE_FILTER,
				  flags | WAIT_KILLABLE_RECV, &program);
	/* Kernels before 5.19 do not know the flag. */
	if (listener < 0 && errno == EINVAL)
		listener = system_seccomp(SECCOMP_SET_MODE_FILTER, flags,
					  &program);
	if (listener < 0)
		return -1;
	/* From here on no system call but execve: init learns it by memory. */
	atomic_store(&inside->shared->listener, listener);
	atomic_store(&inside->shared->is_confined, 1);
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
 * them up, and with them the signal that main dies by when init does;
 * no_new_privs must come before the two layers that need it; what
 * Landlock needs to open must be opened before the filter; and the filter is
 * last, so that it need allow nothing of all this.
 */
static const struct step_row steps[] = {
	{ STEP_SESSION, start_session, TIERS_ALL, ROLES_MAIN },
	{ STEP_SIGNALS, reset_signals, TIERS_ALL, ROLES_MAIN },
	{ STEP_RLIMITS, set_rlimits, TIERS_ALL, ROLES_MAIN },
	{ STEP_CHROOT, enter_slot, TIERS(TIER_C), ROLES_MAIN },
	{ STEP_CAPABILITIES, lock_capabilities,
	  TIERS_MOUNTED | TIERS(TIER_C), ROLES_MAIN },
	{ STEP_IDENTITY, change_identity, TIERS_MOUNTED | TIERS(TIER_C), ROLES_MAIN },
	{ STEP_IDENTITY, give_up_capabilities, TIERS(TIER_D), ROLES_MAIN },
	{ STEP_PARENT_DEATH, die_with_init, TIERS_PLACED, ROLES_MAIN },
	{ STEP_NO_NEW_PRIVILEGES, forbid_new_privileges, TIERS_ALL, ROLES_MAIN },
	{ STEP_DIRECTORY, enter_directory, TIERS_ALL, ROLES_MAIN },
	{ STEP_LANDLOCK, confine_by_landlock, TIERS_ALL, ROLE_CELL },
	{ STEP_LANDLOCK, landlock_confine_network, TIERS_ALL,
	  ROLE_ZYGOTE },
	{ STEP_FILTER, load_filter, TIERS_ALL, ROLES_MAIN },
};

_Noreturn void guest_become_program(struct inside *inside)
{
	const struct plan *plan = inside->plan;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (is_taken(&steps[i], plan) && steps[i].run(inside) < 0)
			fail(inside->shared, steps[i].step);
	}
	/* execve(2) promises not to change them, its prototype does not. */
	execve(plan->arguments[0],
	       (char *const *)(uintptr_t)plan->arguments,
	       (char *const *)(uintptr_t)plan->variables);
	fail(inside->shared, STEP_EXEC);
}
