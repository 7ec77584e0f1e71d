#define _GNU_SOURCE
#include "keeper.h"
#include "system.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
/* __X32_SYSCALL_BIT of asm/unistd.h, and the other bits that it has room for. */
#define FIRST_FOREIGN 0x40000000u
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
/* No number is. */
#define FIRST_FOREIGN UINT32_MAX
#else
#error "no audit architecture known for this target"
#endif

/*
 * The main process loads the filter and then makes this one call; nothing
 * else runs under the filter before it.  So the first notification, and no
 * other, may be it; its arguments are ours, in memory that only we can write.
 */
static bool is_first_exec(struct keeper *keeper,
			  const struct seccomp_data *call)
{
	bool is_first = keeper->may_exec;

	keeper->may_exec = false;
	return is_first && call->arch == NATIVE_ARCH && call->nr == SYS_execve;
}

/*
 * By the rules of another architecture, or of x32.  No program that was made
 * for this one has such calls, so there is nothing to answer: the run ends.
 */
static bool is_foreign(const struct seccomp_data *call)
{
	return call->arch != NATIVE_ARCH ||
	       (uint32_t)call->nr >= FIRST_FOREIGN;
}

/*
 * The caller waits for an answer that never comes, and dies waiting.  Even of
 * a traced program, whose calls are let through otherwise.
 */
static void end_at(struct keeper *keeper, const struct seccomp_data *call)
{
	denials_add(&keeper->denials, call->arch, call->nr);
	keeper_end(keeper, CAUSE_DENIED);
}

static void deny(struct keeper *keeper, const struct seccomp_data *call,
		 struct seccomp_notif_resp *answer)
{
	answer->error = -EPERM;
	denials_add(&keeper->denials, call->arch, call->nr);
	if (keeper->denials.total > keeper->plan->denials)
		keeper_end(keeper, CAUSE_DENIED);
}

/*
 * For trusted programs only: between the notice and the call, a program can
 * change what its pointers point to.  seccomp_unotify(2).
 */
static void let_through(struct keeper *keeper, const struct seccomp_data *call,
			struct seccomp_notif_resp *answer)
{
	uint64_t arguments[TRACES_ARGUMENTS];

	for (size_t i = 0; i < TRACES_ARGUMENTS; i++)
		arguments[i] = call->args[i];
	answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	traces_add(&keeper->traces, call->arch, call->nr, arguments);
}

void listener_answer(struct keeper *keeper)
{
	struct seccomp_notif notice;
	struct seccomp_notif_resp answer;

	/* The kernel wants it to be zero: seccomp_unotify(2). */
	memset(&notice, 0, sizeof(notice));
	memset(&answer, 0, sizeof(answer));
	if (ioctl(keeper->listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) < 0) {
		/* ENOENT: the caller died meanwhile. */
		if (errno != ENOENT && errno != EINTR)
			keeper_fail(keeper, STEP_LISTENER, errno);
		return;
	}
	answer.id = notice.id;
	if (is_foreign(&notice.data)) {
		end_at(keeper, &notice.data);
		return;
	}
	if (is_first_exec(keeper, &notice.data))
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (keeper->plan->is_traced)
		let_through(keeper, &notice.data, &answer);
	else
		deny(keeper, &notice.data, &answer);
	if (ioctl(keeper->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 &&
	    errno != ENOENT)
		keeper_fail(keeper, STEP_LISTENER, errno);
}
