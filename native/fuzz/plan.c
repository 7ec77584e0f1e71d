/*
 * Any bytes as a plan, and as a job.  Whatever a good plan points to must be inside of them,
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
	must_be_path(plan->arguments[0]);
}

/* What a job may have, and nobody looks at, is not checked. */
static void check_paths(const struct plan *plan)
{
	must_be_path(plan->root);
	must_be_path(plan->directory);
	must_be_path(plan->uid_lock);
	must_be_text(plan->hostname);
}

/* What not every plan has. */
static void check_optional(const struct plan *plan)
{
	const char *const paths[] = {
		plan->into, plan->place, plan->cpu_file,
	};
	const char *const texts[] = {
		plan->proxy_socket, plan->resolver, plan->hosts,
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (paths[i] != NULL)
			must_be_path(paths[i]);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i] != NULL)
			must_be_text(texts[i]);
	}
	if (plan->program_name == NULL)
		return;
	must_be_text(plan->program_name);
	must(strchr(plan->program_name, '/') == NULL);
	must_be_inside(plan->program, plan->program_length);
}

/* Beneath /tmp, whatever else it says: no way up and none from the top. */
static void must_be_beneath(const char *path)
{
	must_be_text(path);
	must(path[0] != '\0' && path[0] != '/');
	for (const char *at = path; at != NULL; at = strchr(at, '/')) {
		at += *at == '/';
		must(strncmp(at, "..", 2) != 0 ||
		     (at[2] != '\0' && at[2] != '/'));
	}
}

static void check_files(const struct plan *plan)
{
	must(plan->file_count <= PLAN_FILES);
	for (size_t i = 0; i < plan->file_count; i++) {
		must_be_beneath(plan->files[i].folder);
		must_be_beneath(plan->files[i].name);
		must(strchr(plan->files[i].name, '/') == NULL);
		must(!plan->files[i].is_folder || plan->files[i].size == 0);
	}
	must(plan->output_count <= PLAN_OUTPUTS);
	for (size_t i = 0; i < plan->output_count; i++)
		must_be_beneath(plan->outputs[i]);
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

/* What park.c takes of it. */
static void check_job(const struct plan *job)
{
	check_strings(job);
	must(job->program_name != NULL);
	check_optional(job);
	must(job->wall_ms >= 1 && job->cpu_ms >= 1);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	static struct plan plan, job;

	first = bytes;
	last = bytes + length;
	if (plan_decode_job(bytes, length, &job) == PLAN_OK)
		check_job(&job);
	if (plan_decode(bytes, length, &plan) != PLAN_OK)
		return 0;
	check_strings(&plan);
	check_paths(&plan);
	check_optional(&plan);
	check_files(&plan);
	check_groups(&plan);
	check_numbers(&plan);
	return 0;
}
