/*
 * Any bytes as a plan.  Whatever a good plan points to must be inside of them,
 * ended where it says, and what it counts must fit.
 */
#include "plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static const unsigned char *first, *last;

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

static void must_be_inside(const void *start, size_t length)
{
	const unsigned char *at = start;

	must(at >= first && at <= last && length <= (size_t)(last - at));
}

/* The NUL too; that it is there at all, ASan sees in strlen. */
static void must_be_text(const char *text)
{
	must(text != NULL);
	must_be_inside(text, 1);
	must_be_inside(text, strlen(text) + 1);
}

static void must_be_list(const char *const *texts, size_t count, size_t most)
{
	must(count <= most);
	for (size_t i = 0; i < count; i++)
		must_be_text(texts[i]);
}

static void must_be_path(const char *text)
{
	must_be_text(text);
	must(text[0] == '/');
}

static void check_strings(const struct plan *plan)
{
	must_be_list(plan->arguments, plan->argument_count, PLAN_STRINGS);
	must_be_list(plan->variables, plan->variable_count, PLAN_STRINGS);
	must_be_list(plan->directories, plan->directory_count,
		     PLAN_DIRECTORIES);
	must_be_list(plan->joins, plan->join_count, PLAN_DIRECTORIES);
	must(plan->arguments[plan->argument_count] == NULL);
	must(plan->variables[plan->variable_count] == NULL);
	must_be_path(plan->root);
	must_be_path(plan->arguments[0]);
	must_be_path(plan->directory);
	must_be_path(plan->uid_lock);
	must_be_path(plan->cpu_file);
	must_be_text(plan->hostname);
	if (plan->into != NULL)
		must_be_path(plan->into);
}

static void check_groups(const struct plan *plan)
{
	must(plan->setting_count <= PLAN_SETTINGS);
	for (size_t i = 0; i < plan->setting_count; i++) {
		must_be_path(plan->settings[i].file);
		must_be_text(plan->settings[i].value);
	}
	must(plan->reading_count <= PLAN_READINGS);
	for (size_t i = 0; i < plan->reading_count; i++) {
		must_be_text(plan->readings[i].label);
		must_be_path(plan->readings[i].file);
	}
}

static void check_numbers(const struct plan *plan)
{
	must(plan->uid_first >= 1000 && plan->uid_count >= 1);
	must(plan->uid_first <= INT32_MAX - plan->uid_count);
	must(plan->wall_ms >= 1 && plan->cpu_ms >= 1);
	must(plan->tmp_bytes >= 1 && plan->tmp_inodes >= 1);
	must(plan->filter_length >= 1 && plan->filter_length <= BPF_MAXINSNS);
	must(plan->rlimit_count <= PLAN_RLIMITS);
	for (size_t i = 0; i < plan->rlimit_count; i++)
		must(plan->rlimits[i].soft <= plan->rlimits[i].hard);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	static struct plan plan;

	first = bytes;
	last = bytes + length;
	if (plan_decode(bytes, length, &plan) != PLAN_OK)
		return 0;
	check_strings(&plan);
	check_groups(&plan);
	check_numbers(&plan);
	if (plan.program_name != NULL) {
		must_be_text(plan.program_name);
		must(strchr(plan.program_name, '/') == NULL);
		must_be_inside(plan.program, plan.program_length);
	}
	return 0;
}
