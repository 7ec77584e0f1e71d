#define _GNU_SOURCE
#include "keeper.h"
#include "system.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
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
