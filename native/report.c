#define _GNU_SOURCE
#include "keeper.h"
#include "status.h"

#include <sys/wait.h>

/* Part of the contract with src/run/verdict.ts, like the names of steps. */
static const char *const layers[] = {
	"mount-namespace", "pid-namespace", "ipc-namespace", "uts-namespace",
	"network-namespace", "cgroup-namespace", "read-only-root",
	"private-tmp", "private-dev", "own-uid", "no-capabilities",
	"no-new-privileges", "rlimits", "cgroup-limits", "seccomp",
	"seccomp-notify",
};

static const char *const causes[] = {
	[CAUSE_NONE] = "none", [CAUSE_WALL] = "wall", [CAUSE_CPU] = "cpu",
	[CAUSE_OUTPUT] = "output", [CAUSE_DENIED] = "denied",
	[CAUSE_CANCELLED] = "cancelled",
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

static void report_layers(const struct keeper *keeper)
{
	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
		word_record("layer", layers[i]);
	word_record(keeper->landlock > 0 ? "layer" : "missing", "landlock");
}

static void report_end(const struct message *end)
{
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
	number_record("usage", (int64_t)end->cpu_us);
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

void report_run(const struct keeper *keeper)
{
	if (keeper->failed_step != STEP_NONE) {
		status_key("failed");
		status_word(step_name(keeper->failed_step));
		status_number(keeper->failed_error);
		status_end();
	}
	if (keeper->started != 0) {
		number_record("uid", keeper->uid);
		report_layers(keeper);
	}
	report_times(keeper);
	if (keeper->cause != CAUSE_NONE)
		word_record("cause", causes[keeper->cause]);
	if (keeper->has_ended)
		report_end(&keeper->end);
	report_denials(&keeper->denials);
	if (keeper->output.is_over)
		word_record("truncated", "stdout");
	if (keeper->errors.is_over)
		word_record("truncated", "stderr");
	if (keeper->is_tmp_full)
		word_record("full", "tmp");
	number_record("survivors", keeper->survivors);
	word_record("cleanup",
		    keeper->is_cleanup_proven ? "proven" : "unproven");
	report_traces(&keeper->traces);
}
