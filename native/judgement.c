#define _GNU_SOURCE
#include "judgement.h"

#include "command.h"

#include <signal.h>
#include <sys/wait.h>

#define STATUS_TIME_LIMIT 124
#define STATUS_SIGNAL 128

static const enum verdict verdict_of_cause[] = {
	[CAUSE_WALL] = VERDICT_TIMEOUT, [CAUSE_CPU] = VERDICT_CPU,
	[CAUSE_OUTPUT] = VERDICT_OUTPUT, [CAUSE_DENIED] = VERDICT_DENIED,
	[CAUSE_CANCELLED] = VERDICT_CANCELLED, [CAUSE_MEMORY] = VERDICT_OOM,
	[CAUSE_DISK] = VERDICT_DISK,
};

static bool is_signalled(const struct keeper *keeper, int number)
{
	int status = keeper->end.wait_status;

	return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

/* The program can send itself this signal; only the meter tells why. */
static bool is_over_cpu(const struct keeper *keeper)
{
	uint64_t used_ns = keeper->end.cpu_us * 1000;

	if (keeper->peak.processor > used_ns)
		used_ns = keeper->peak.processor;
	return is_signalled(keeper, SIGXCPU) &&
	       used_ns / 1000000 >= keeper->plan->cpu_ms;
}

/* One that met a full disk and ended well has coped with it. */
static bool is_over_disk(const struct keeper *keeper)
{
	int status = keeper->end.wait_status;

	if (!keeper->is_tmp_full)
		return false;
	return WIFEXITED(status) ? WEXITSTATUS(status) != 0 :
		is_signalled(keeper, SIGBUS) || is_signalled(keeper, SIGXFSZ);
}

enum verdict judgement_of(const struct keeper *keeper)
{
	int status = keeper->end.wait_status;

	if (keeper->cause != CAUSE_NONE)
		return verdict_of_cause[keeper->cause];
	if (keeper->failed_step != STEP_NONE || !keeper->has_ended)
		return VERDICT_INTERNAL;
	if (is_over_cpu(keeper))
		return VERDICT_CPU;
	if (is_over_disk(keeper))
		return VERDICT_DISK;
	if (WIFSIGNALED(status))
		return VERDICT_SIGNAL;
	return WEXITSTATUS(status) == 0 ? VERDICT_OK : VERDICT_ERROR;
}

static int end_status(const struct keeper *keeper)
{
	int status = keeper->end.wait_status;

	if (!keeper->has_ended)
		return STATUS_SIGNAL + SIGKILL;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
		STATUS_SIGNAL + WTERMSIG(status);
}

int judgement_status(const struct keeper *keeper, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_TIMEOUT:
	case VERDICT_CPU:
		return STATUS_TIME_LIMIT;
	case VERDICT_OOM:
	case VERDICT_OUTPUT:
	case VERDICT_CANCELLED:
		return STATUS_SIGNAL + SIGKILL;
	case VERDICT_DENIED:
		return STATUS_SIGNAL + SIGSYS;
	case VERDICT_INTERNAL:
		return STATUS_FAILED;
	default:
		return end_status(keeper);
	}
}
