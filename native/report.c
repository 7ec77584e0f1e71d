#define _GNU_SOURCE
#include "keeper.h"
#include "status.h"

#include <string.h>
#include <sys/wait.h>

/*
 * In the order in which they are set up, or nearly.
 * Part of the contract with src/run/verdict.ts, like the names of steps.
 */
static const struct {
	const char *name;
	unsigned int tiers;	/* in which it is, unless the host lacks it */
} layers[] = {
	{ "user-namespace", TIERS(TIER_B) },
	{ "mount-namespace", TIERS_MOUNTED },
	{ "pid-namespace", TIERS_MOUNTED },
	{ "ipc-namespace", TIERS_MOUNTED },
	{ "uts-namespace", TIERS_MOUNTED },
	{ "network-namespace", TIERS_MOUNTED },
	{ "cgroup-namespace", TIERS_MOUNTED },
	{ "read-only-root", TIERS_MOUNTED },
	{ "chroot", TIERS(TIER_C) },
	{ "private-tmp", TIERS_ALL },
	{ "private-dev", TIERS_MOUNTED | TIERS(TIER_C) },
	{ "own-uid", TIERS(TIER_A) | TIERS(TIER_C) },
	{ "no-capabilities", TIERS_ALL },
	{ "no-new-privileges", TIERS_ALL },
	{ "rlimits", TIERS_ALL },
	{ "cgroup-limits", TIERS_ALL },
	{ "seccomp", TIERS_ALL },
	{ "seccomp-notify", TIERS_ALL },
	{ "landlock", TIERS_ALL },
};

static const char *const causes[] = {
	[CAUSE_NONE] = "none", [CAUSE_WALL] = "wall", [CAUSE_CPU] = "cpu",
	[CAUSE_OUTPUT] = "output", [CAUSE_DENIED] = "denied",
	[CAUSE_CANCELLED] = "cancelled", [CAUSE_MEMORY] = "memory",
	[CAUSE_DISK] = "disk",
};

static void number_record(const char *key, int64_t number)
{
	status_key(key);
	status_number(number);
	status_end();
}

static void word_record(const char *key, const char *word)
{
	status_key(key);
	status_word(word);
	status_end();
}

static bool has_layer(const struct keeper *keeper, const char *name)
{
	if (strcmp(name, "landlock") == 0)
		return keeper->landlock > 0;
	if (strcmp(name, "cgroup-limits") == 0)
		return keeper->cgroup.plan != NULL;
	if (strcmp(name, "private-dev") == 0)
		return keeper->plan->place == NULL || keeper->place.has_devices;
	return true;
}

/* `chroot` and `user-namespace` take the place of what is named as missing. */
static void report_layers(const struct keeper *keeper)
{
	unsigned int tier = TIERS(keeper->plan->tier);

	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		bool is_here = (layers[i].tiers & tier) != 0 ||
			(keeper->plan->berth_socket != NULL &&
			 strcmp(layers[i].name, "user-namespace") == 0);

		/* Not missing where it is not wanted. */
		if (keeper->plan->is_host_network &&
		    strcmp(layers[i].name, "network-namespace") == 0)
			continue;
		if (is_here && has_layer(keeper, layers[i].name))
			word_record("layer", layers[i].name);
		else if (is_here || (layers[i].tiers & TIERS(TIER_A)) != 0)
			word_record("missing", layers[i].name);
	}
	if (keeper->plan->has_proc)
		word_record(keeper->plan->place == NULL ? "layer" : "missing",
			    "private-proc");
}

/* In the form of the files of control groups. */
static void report_watch(const struct keeper *keeper)
{
	if (keeper->plan->watch_memory == 0 || keeper->started == 0)
		return;
	number_record("watched memory", (int64_t)keeper->peak.memory);
	number_record("watched tasks", (int64_t)keeper->peak.tasks);
	number_record("watched processor", (int64_t)keeper->peak.processor);
}

/* Of all in the cell, before it was anybody's run: park.h. */
static void report_before(const struct keeper *keeper)
{
	if (keeper->plan->is_parked && keeper->started != 0)
		number_record("before", keeper->park.processor / 1000);
}

static void report_end(const struct keeper *keeper)
{
	const struct message *end = &keeper->end;
	uint64_t before = keeper->park.main_processor / 1000;
	int status = end->wait_status;

	status_key("end");
	if (WIFEXITED(status)) {
		status_word("exited");
		status_number(WEXITSTATUS(status));
	} else {
		status_word("signalled");
		status_number(WTERMSIG(status));
	}
	status_end();
	number_record("usage", end->cpu_us > before ?
		      (int64_t)(end->cpu_us - before) : 0);
}

static void report_denials(const struct denials *denials)
{
	for (size_t i = 0; i < denials->count; i++) {
		const struct denial *row = &denials->rows[i];

		status_key("denied");
		status_number(row->arch);
		status_number(row->nr);
		status_number((int64_t)row->count);
		status_end();
	}
}

static void report_traces(const struct traces *traces)
{
	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *row = &traces->rows[i];

		status_key("traced");
		status_number(row->arch);
		status_number(row->nr);
		status_number((int64_t)row->count);
		/* As the kernel's registers have them: read as unsigned. */
		for (size_t j = 0; j < TRACES_ARGUMENTS; j++)
			status_number((int64_t)row->arguments[j]);
		status_end();
	}
	if (traces->lost > 0)
		number_record("untraced", (int64_t)traces->lost);
}

static void report_times(const struct keeper *keeper)
{
	if (keeper->started == 0)
		return;
	number_record("setup",
		      (int64_t)(keeper->started - keeper->began) / 1000);
	number_record("wall",
		      (int64_t)(keeper->ended - keeper->started) / 1000);
}

static void report_lost(const char *stream, int error)
{
	if (error == 0)
		return;
	status_key("lost");
	status_word(stream);
	status_number(error);
	status_end();
}

void report_run(const struct keeper *keeper)
{
	if (keeper->failed_step != STEP_NONE) {
		status_key("failed");
		status_word(step_name(keeper->failed_step));
		status_number(keeper->failed_error);
		status_end();
	}
	if (keeper->anomaly != NULL)
		word_record("anomaly", keeper->anomaly);
	/* Also of a slot that is missing: it is found by the id. */
	if (keeper->started != 0 || keeper->failed_step == STEP_PLACE)
		number_record("uid", keeper->uid);
	if (keeper->started != 0)
		report_layers(keeper);
	report_times(keeper);
	if (keeper->cause != CAUSE_NONE)
		word_record("cause", causes[keeper->cause]);
	if (keeper->has_ended)
		report_end(keeper);
	report_before(keeper);
	report_watch(keeper);
	report_denials(&keeper->denials);
	if (keeper->output.is_over)
		word_record("truncated", "stdout");
	if (keeper->errors.is_over)
		word_record("truncated", "stderr");
	report_lost("stdout", keeper->output.lost);
	report_lost("stderr", keeper->errors.lost);
	if (keeper->is_tmp_full)
		word_record("full", "tmp");
	number_record("survivors", keeper->survivors);
	word_record("cleanup",
		    keeper->is_cleanup_proven ? "proven" : "unproven");
	report_traces(&keeper->traces);
}
