/*
 * python.so: the call by which a script confines its own process, as scripts
 * for dify-sandbox make it by ctypes:
 *
 *	lib = ctypes.CDLL("./python.so")
 *	lib.DifySeccomp(uid, gid, enable_network)
 *
 * It makes the current directory the root, gives up every privilege and loads
 * a filter of system calls; numbers in the variable ALLOWED_SYSCALLS are let
 * through besides.  It returns 0.  When anything fails it does not return: the
 * scripts ignore the result and would run their guest all the same.  The
 * process ends with status 125 after one line on standard error.
 *
 * There is no C library in here, no thread and no allocation, so nothing of it
 * makes a system call later that the filter denies.  Four names are looked up
 * in the process, and missed without harm: `environ`, and three functions that
 * change the identity of all threads.
 *
 * The order: everything is decoded and checked before the first step that
 * cannot be taken back.  chroot needs a capability, so it comes before the
 * identity goes, and so does locking the capabilities.  Directories are closed
 * after chroot, for they lead out of it.  no_new_privs comes before the filter,
 * which needs it of a process without privileges, and the filter is last: it
 * allows none of these steps.
 */
#include "shim-program.h"
#include "shim-system.h"

#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <linux/stat.h>

#define STATUS_SETUP_FAILED 125
#define NOBODY_CHANGES 0xffffffffU
#define LOW_DESCRIPTORS 1024
#define HIGH_DESCRIPTORS 65536

#define CALL(name, a, b, c, d, e)					\
	kernel_call(__NR_##name, (long)(a), (long)(b), (long)(c),	\
		    (long)(d), (long)(e))

struct request {
	unsigned int uid;
	unsigned int gid;
	bool network;
	/* No other thread can exist. */
	bool alone;
};

extern char **environ __attribute__((weak));
extern int setgroups(size_t count, const unsigned int *groups)
	__attribute__((weak));
extern int setresgid(unsigned int real, unsigned int effective,
		     unsigned int saved) __attribute__((weak));
extern int setresuid(unsigned int real, unsigned int effective,
		     unsigned int saved) __attribute__((weak));

__attribute__((visibility("default")))
int DifySeccomp(unsigned int uid, unsigned int gid, unsigned char network);

static struct shim_program program;

/* The value of ALLOWED_SYSCALLS, or NULL. */
static const char *allowed_numbers(void)
{
	static const char name[] = "ALLOWED_SYSCALLS=";
	const size_t length = sizeof(name) - 1;

	if (&environ == NULL || environ == NULL)
		return NULL;
	for (char **entry = environ; *entry != NULL; entry++) {
		size_t i = 0;

		while (i < length && (*entry)[i] == name[i])
			i++;
		if (i == length)
			return *entry + length;
	}
	return NULL;
}

/* Root is no identity for a guest, and -1 means that none is changed. */
static long check_identity(struct request *request)
{
	if (request->uid == 0 || request->uid == NOBODY_CHANGES ||
	    request->gid == NOBODY_CHANGES)
		return -EINVAL;
	return 0;
}

static long prepare_filter(struct request *request)
{
	long process = CALL(getpid, 0, 0, 0, 0, 0);

	shim_program_write(&program, allowed_numbers(), request->network,
			   (uint32_t)process);
	return 0;
}

/*
 * With threads, as preloaded libraries start them, privileges must go from
 * each one: a guest shares their memory.  The kernel changes the identity of
 * one thread only; the C library's functions do it for all, and from user 0
 * that clears their capabilities too, unless a securebit says otherwise.
 * unshare(2) refuses these flags where there are threads, and changes nothing
 * where there are none; where it may not be called there may be some.
 */
static long check_threads(struct request *request)
{
	const long keeping = SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP;
	long securebits;

	request->alone = CALL(unshare, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM,
			      0, 0, 0, 0) == 0;
	if (request->alone)
		return 0;
	if (setgroups == NULL || setresgid == NULL || setresuid == NULL)
		return -EBUSY;
	securebits = CALL(prctl, PR_GET_SECUREBITS, 0, 0, 0, 0);
	if (CALL(geteuid, 0, 0, 0, 0, 0) != 0 || securebits < 0 ||
	    (securebits & keeping) != 0)
		return -EBUSY;
	return 0;
}

static long enter_root(struct request *request)
{
	long result = CALL(chroot, kernel_pointer("."), 0, 0, 0, 0);

	(void)request;	/* a step like the others */
	if (result < 0)
		return result;
	return CALL(chdir, kernel_pointer("/"), 0, 0, 0, 0);
}

/*
 * An open directory outside of the root leads out of it.  Scripts open few
 * files, their guest's code is on descriptor 3; what is above the low ones is
 * somebody else's and closed whatever it is.
 */
static long close_directories(struct request *request)
{
	(void)request;	/* a step like the others */
	for (unsigned int i = 0; i < LOW_DESCRIPTORS; i++) {
		struct stat facts;

		if (CALL(fstat, i, kernel_pointer(&facts), 0, 0, 0) == 0 &&
		    S_ISDIR(facts.st_mode))
			CALL(close, i, 0, 0, 0, 0);
	}
	if (CALL(close_range, LOW_DESCRIPTORS, ~0U, 0, 0, 0) == 0)
		return 0;
	/* Not before Linux 5.9. */
	for (unsigned int i = LOW_DESCRIPTORS; i < HIGH_DESCRIPTORS; i++)
		CALL(close, i, 0, 0, 0, 0);
	return 0;
}

/*
 * No program file and no user id 0 shall ever give a capability back.  Without
 * CAP_SETPCAP, as in containers that have few, this is left to no_new_privs.
 */
static long lock_capabilities(struct request *request)
{
	const long locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		SECBIT_NO_CAP_AMBIENT_RAISE |
		SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	long result = CALL(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0,
			   0, 0);

	(void)request;	/* a step like the others */
	for (long number = 0; number < 64 && result == 0; number++)
		result = CALL(prctl, PR_CAPBSET_DROP, number, 0, 0, 0);
	/* EINVAL: the kernel has no more capabilities. */
	if (result == 0 || result == -EINVAL)
		result = CALL(prctl, PR_SET_SECUREBITS, locked, 0, 0, 0);
	return result == -EPERM ? 0 : result;
}

static long change_all_threads(const struct request *request)
{
	const unsigned int uid = request->uid, gid = request->gid;

	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return -EPERM;
	return 0;
}

static long change_identity(struct request *request)
{
	const unsigned int uid = request->uid, gid = request->gid;
	long result;

	if (!request->alone)
		return change_all_threads(request);
	result = CALL(setgroups, 0, 0, 0, 0, 0);
	if (result == 0)
		result = CALL(setresgid, gid, gid, gid, 0, 0);
	if (result == 0)
		result = CALL(setresuid, uid, uid, uid, 0, 0);
	return result;
}

static long clear_capabilities(struct request *request)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	long result = CALL(capset, kernel_pointer(&header),
			   kernel_pointer(sets), 0, 0, 0);

	(void)request;	/* a step like the others */
	if (result < 0)
		return result;
	result = CALL(capget, kernel_pointer(&header), kernel_pointer(sets), 0,
		      0, 0);
	if (result < 0)
		return result;
	for (int i = 0; i < 2; i++) {
		if ((sets[i].effective | sets[i].permitted |
		     sets[i].inheritable) != 0)
			return -EPERM;
	}
	return 0;
}

/* What the calls before have said is not taken for granted. */
static long verify_identity(struct request *request)
{
	unsigned int uids[3], gids[3];
	long result = CALL(getresuid, kernel_pointer(&uids[0]),
			   kernel_pointer(&uids[1]), kernel_pointer(&uids[2]),
			   0, 0);

	if (result == 0)
		result = CALL(getresgid, kernel_pointer(&gids[0]),
			      kernel_pointer(&gids[1]),
			      kernel_pointer(&gids[2]), 0, 0);
	if (result < 0)
		return result;
	for (int i = 0; i < 3; i++) {
		if (uids[i] != request->uid || gids[i] != request->gid)
			return -EPERM;
	}
	return CALL(getgroups, 0, 0, 0, 0, 0) == 0 ? 0 : -EPERM;
}

static long forbid_new_privileges(struct request *request)
{
	long result = CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	(void)request;	/* a step like the others */
	if (result < 0)
		return result;
	if (CALL(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return -EPERM;
	/* No other process of this user may look into its memory. */
	return CALL(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/*
 * For all threads, with no_new_privs.  A positive answer is the number of a
 * thread that has another filter, and a failure: seccomp(2).
 */
static long load_filter(struct request *request)
{
	const struct sock_fprog filter = {
		.len = (unsigned short)program.length,
		.filter = program.rows,
	};
	long result = CALL(seccomp, SECCOMP_SET_MODE_FILTER,
			   SECCOMP_FILTER_FLAG_TSYNC, kernel_pointer(&filter),
			   0, 0);

	(void)request;	/* a step like the others */
	return result > 0 ? -EBUSY : result;
}

static const struct {
	const char *name;
	long (*run)(struct request *request);
} steps[] = {
	{ "identity", check_identity },
	{ "filter", prepare_filter },
	{ "threads", check_threads },
	{ "chroot", enter_root },
	{ "descriptors", close_directories },
	{ "capabilities", lock_capabilities },
	{ "identity", change_identity },
	{ "capabilities", clear_capabilities },
	{ "identity", verify_identity },
	{ "no-new-privs", forbid_new_privileges },
	{ "seccomp", load_filter },
};

static void print(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0')
		length++;
	/* Nobody is left to tell when this fails. */
	(void)CALL(write, 2, kernel_pointer(text), length, 0, 0);
}

static _Noreturn void die(const char *step, long error)
{
	char digits[24];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	digits[--at] = '\n';
	do {
		digits[--at] = (char)('0' + error % 10);
		error /= 10;
	} while (error > 0);
	print("DifySeccomp: ");
	print(step);
	print(": errno ");
	print(digits + at);
	for (;;) {
		CALL(exit_group, STATUS_SETUP_FAILED, 0, 0, 0, 0);
		__builtin_trap();
	}
}

int DifySeccomp(unsigned int uid, unsigned int gid, unsigned char network)
{
	struct request request = {
		.uid = uid,
		.gid = gid,
		.network = network != 0,
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		long result = steps[i].run(&request);

		if (result < 0)
			die(steps[i].name, -result);
	}
	return 0;
}
