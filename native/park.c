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

static unsigned char job_bytes[PLAN_LARGEST];
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

static void end(int *descriptor)
{
	system_close(*descriptor);
	*descriptor = -1;
}

/* Whatever it says means the same; what it is, its run will show. */
void park_hear_guest(struct keeper *keeper)
{
	struct park *park = &keeper->park;
	char word;
	ssize_t length = recv(park->guest, &word, 1, MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0 || park->is_ready) {
		/* It is about to end, which init will tell. */
		end(&park->guest);
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
		park->length += (size_t)length;
		if (park->length == sizeof(job_bytes))
			keeper_fail(keeper, STEP_PLAN, EFBIG);
		return;
	}
	end(&park->job);
	/* No job will come. */
	if (length < 0 || park->length == 0)
		keeper_end(keeper, CAUSE_CANCELLED);
	else if (plan_decode_job(job_bytes, park->length, &job) != PLAN_OK)
		keeper_fail(keeper, STEP_PLAN, EINVAL);
	else
		park->has_job = true;
	/* From here on it is the run that takes time. */
	keeper->began = system_now();
	park_begin(keeper);
}

/* What packages print while they are imported is nobody's output. */
static void discard(int descriptor)
{
	static unsigned char discarded[DISCARDED];

	while (descriptor >= 0 &&
	       read(descriptor, discarded, sizeof(discarded)) > 0)
		;
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

/* The room of the socket is larger, so that a guest cannot make us wait. */
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
	return send(guest, words, used, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)used ? 0 : -1;
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
	clocks_start(keeper);
	keeper->phase = PHASE_RUNNING;
	if (send_words(park->guest) < 0 && errno == E2BIG)
		keeper_fail(keeper, STEP_EXEC, E2BIG);
	/* One that does not listen any more ends, which init will tell. */
	end(&park->guest);
	end(&park->run);
}
