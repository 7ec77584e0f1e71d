#define _GNU_SOURCE
#include "park.h"

#include "clocks.h"
#include "keeper.h"
#include "proc.h"
#include "status.h"
#include "system.h"

#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the words of a job take; larger ones are for cells of their own. */
#define WORDS_LARGEST 131072u
#define DISCARDED 65536
/* A pipe holds no more, unless root made it larger: pipe(7). */
#define DISCARDS 16

static unsigned char job_bytes[sizeof(uint32_t) + PLAN_LARGEST];
static struct plan job;

int park_open(struct park *park, bool is_zygote, int *guest)
{
	int ends[2];

	int type = is_zygote ? SOCK_SEQPACKET : SOCK_STREAM;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	park->guest = ends[0];
	park->job = PARK_DESCRIPTOR;
	*guest = ends[1];
	return 0;
}

/*
 * Its one byte says the same whatever it is.  Any other and the end of the
 * link say that it will never be a program: it is not waited for.
 */
void park_hear_guest(struct keeper *keeper)
{
	struct park *park = &keeper->park;
	char word;
	ssize_t length = recv(park->guest, &word, 1, MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (park->is_ready && keeper->plan->is_zygote) {
		zygote_stop(keeper);
		return;
	}
	if (park->is_ready) {
		keeper_fail(keeper, STEP_EXEC, length > 0 ? EPROTO : EPIPE);
		return;
	}
	if (length <= 0) {
		/* How it ends, init will tell; the time limit holds. */
		system_end(&park->guest);
		return;
	}
	park->is_ready = true;
	keeper->anomaly = zygote_anomaly(keeper);
	if (keeper->anomaly != NULL) {
		keeper_fail(keeper, STEP_ANOMALY, EPERM);
		return;
	}
	/* Whom it is for may have gone; the status descriptor tells that. */
	if (system_write(STATUS_DESCRIPTOR, "parked\n", 7) < 0)
		keeper_end(keeper, CAUSE_CANCELLED);
	else
		park_begin(keeper);
}

/* As soon as all of it is there: its sender may take its time to end. */
static void take_job(struct keeper *keeper)
{
	struct park *park = &keeper->park;
	const unsigned char *bytes = job_bytes + sizeof(uint32_t);
	uint32_t length;

	if (park->length < sizeof(length))
		return;
	memcpy(&length, job_bytes, sizeof(length));
	if (park->length < sizeof(length) + length && length <= PLAN_LARGEST)
		return;
	system_end(&park->job);
	if (park->length != sizeof(length) + length ||
	    plan_decode_job(bytes, length, &job) != PLAN_OK) {
		keeper_fail(keeper, STEP_PLAN, EINVAL);
		return;
	}
	park->has_job = true;
	park_begin(keeper);
}

void park_hear_job(struct keeper *keeper)
{
	struct park *park = &keeper->park;
	ssize_t length;

	if (keeper->plan->is_zygote) {
		zygote_hear_job(keeper);
		return;
	}
	length = recv(park->job, job_bytes + park->length,
		      sizeof(job_bytes) - park->length, MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length > 0) {
		/* From here on it is the run that takes time. */
		if (park->length == 0)
			keeper->began = system_now();
		park->length += (size_t)length;
		take_job(keeper);
		return;
	}
	system_end(&park->job);
	/* No job will come, or no more of it. */
	if (length < 0 || park->length == 0)
		keeper_end(keeper, CAUSE_CANCELLED);
	else
		keeper_fail(keeper, STEP_PLAN, EINVAL);
}

/*
 * What packages print while they are imported is nobody's output.  One that
 * never stops must not hold us up: what it prints from then on is the run's.
 */
static void discard(int descriptor)
{
	static unsigned char discarded[DISCARDED];

	for (int i = 0; i < DISCARDS; i++) {
		if (read(descriptor, discarded, sizeof(discarded)) <= 0)
			return;
	}
}

/* What is in a berth belongs to its owner, whom it must look as if made by. */
static int be_owner_of_files(uid_t uid)
{
	(void)setfsgid(uid);
	(void)setfsuid(uid);
	/* It tells nothing but who it was: setfsuid(2). */
	errno = EPERM;
	return (uid_t)setfsuid((uid_t)-1) == uid ? 0 : -1;
}

static int replace_files(const struct keeper *keeper)
{
	if (keeper->plan->program_name != NULL &&
	    root_remove_program(keeper->park.run, keeper->plan) < 0)
		return -1;
	return root_write_program(keeper->park.run, &job);
}

static int replace_program(const struct keeper *keeper)
{
	bool is_owned = keeper->plan->berth_socket != NULL &&
			keeper->plan->tier == TIER_A;
	int answer;

	if (!is_owned)
		return replace_files(keeper);
	if (be_owner_of_files(keeper->berth.owner) < 0)
		return -1;
	answer = replace_files(keeper);
	return be_owner_of_files(geteuid()) < 0 ? -1 : answer;
}

static bool put(unsigned char *words, size_t *used, const void *bytes,
		size_t length)
{
	if (length > WORDS_LARGEST - *used)
		return false;
	memcpy(words + *used, bytes, length);
	*used += length;
	return true;
}

static bool put_strings(unsigned char *words, size_t *used,
			const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!put(words, used, strings[i], strlen(strings[i]) + 1))
			return false;
	}
	return true;
}

/* All or nothing, so that a guest cannot make us wait; then our end is over. */
static int send_words(int guest)
{
	static unsigned char words[WORDS_LARGEST];
	const uint32_t counts[2] = {
		(uint32_t)job.argument_count, (uint32_t)job.variable_count,
	};
	size_t used = 0;

	errno = E2BIG;
	if (!put(words, &used, counts, sizeof(counts)) ||
	    !put_strings(words, &used, job.arguments, job.argument_count) ||
	    !put_strings(words, &used, job.variables, job.variable_count))
		return -1;
	errno = EAGAIN;
	if (send(guest, words, used, MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    (ssize_t)used)
		return -1;
	return shutdown(guest, SHUT_RDWR);
}

static void take_limits(struct keeper *keeper)
{
	struct plan *plan = keeper->plan;

	plan->wall_ms = job.wall_ms;
	plan->cpu_ms = job.cpu_ms;
	plan->output_bytes = job.output_bytes;
	plan->denials = job.denials;
	keeper->output.left = job.output_bytes;
	keeper->errors.left = job.output_bytes;
}

/* What was used before the run is not the run's. */
static int take_stock(struct keeper *keeper)
{
	struct park *park = &keeper->park;

	memset(&keeper->denials, 0, sizeof(keeper->denials));
	discard(keeper->output.from);
	discard(keeper->errors.from);
	park->main_processor = proc_processor(keeper->main_pidfd);
	park->processor = (int64_t)park->main_processor;
	if (keeper->plan->watch_memory == 0)
		park->processor = cgroup_cpu(&keeper->cgroup);
	return park->processor < 0 ? -1 : 0;
}

void park_begin(struct keeper *keeper)
{
	struct park *park = &keeper->park;

	if (keeper->phase != PHASE_PARKED || !park->is_ready || !park->has_job)
		return;
	if (replace_program(keeper) < 0) {
		keeper_fail(keeper, STEP_PROGRAM, errno);
		return;
	}
	take_limits(keeper);
	if (take_stock(keeper) < 0) {
		keeper_fail(keeper, STEP_CGROUP, errno);
		return;
	}
	/* The program may be done before we are back. */
	clocks_start(keeper);
	if (send_words(park->guest) < 0) {
		keeper->started = 0;
		keeper_fail(keeper, STEP_EXEC, errno);
		return;
	}
	keeper->phase = PHASE_RUNNING;
}

/*
 * The kernel tells the socket of whoever dies without reading all of it, and
 * nobody but we writes to it: then the words met nobody, and nothing was run.
 */
void park_settle(struct keeper *keeper)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (keeper->park.guest < 0 || keeper->phase != PHASE_OVER ||
	    keeper->started == 0 || !keeper->has_ended ||
	    getsockopt(keeper->park.guest, SOL_SOCKET, SO_ERROR, &error,
		       &length) < 0 || error != ECONNRESET)
		return;
	keeper->failed_step = STEP_EXEC;
	keeper->failed_error = error;
	keeper->started = 0;
}

bool park_is_unused(const struct keeper *keeper)
{
	const struct park *park = &keeper->park;

	return keeper->plan->is_parked && keeper->started == 0 &&
	       (park->is_ready || park->has_job);
}
