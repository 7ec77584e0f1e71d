#include "plan-files.h"

#include <string.h>

#define NAME_LONGEST 255
#define PATH_LONGEST 4095
#define LARGEST_SIZE (UINT64_C(1) << 50)
#define MOST_ENTRIES (1u << 20)

/* The string that `*bytes` begins with; NULL when none ends there. */
static const char *next_string(const unsigned char **bytes, size_t *left)
{
	const char *string = (const char *)*bytes;
	const unsigned char *end;

	if (*left == 0)
		return NULL;
	end = memchr(*bytes, '\0', *left);
	if (end == NULL)
		return NULL;
	*left -= (size_t)(end - *bytes) + 1;
	*bytes = end + 1;
	return string;
}

static bool is_component(const char *name, size_t length)
{
	return length > 0 && length <= NAME_LONGEST &&
	       !(name[0] == '.' &&
		 (length == 1 || (length == 2 && name[1] == '.')));
}

/* Names between single slashes, none of which leads up; or `.` alone. */
static bool is_relative_path(const char *path)
{
	size_t left = strlen(path);

	if (left > PATH_LONGEST)
		return false;
	if (strcmp(path, ".") == 0)
		return true;
	for (;;) {
		const char *slash = memchr(path, '/', left);
		size_t length = slash == NULL ? left : (size_t)(slash - path);

		if (!is_component(path, length))
			return false;
		if (slash == NULL)
			return true;
		path += length + 1;
		left -= length + 1;
	}
}

enum plan_fault plan_file(const unsigned char *bytes, size_t length,
			  bool is_folder, struct plan *plan)
{
	struct plan_file *row = &plan->files[plan->file_count];

	if (plan->file_count == PLAN_FILES)
		return PLAN_TOO_MANY;
	plan->file_count++;
	if (length < sizeof(row->mode) + sizeof(row->size))
		return PLAN_BAD_VALUE;
	memcpy(&row->mode, bytes, sizeof(row->mode));
	memcpy(&row->size, bytes + sizeof(row->mode), sizeof(row->size));
	bytes += sizeof(row->mode) + sizeof(row->size);
	length -= sizeof(row->mode) + sizeof(row->size);
	row->is_folder = is_folder;
	row->folder = next_string(&bytes, &length);
	if (row->folder == NULL || !is_relative_path(row->folder))
		return PLAN_BAD_VALUE;
	row->name = next_string(&bytes, &length);
	if (row->name == NULL || length != 0 ||
	    strchr(row->name, '/') != NULL ||
	    !is_component(row->name, strlen(row->name)))
		return PLAN_BAD_VALUE;
	if ((row->mode != 0644 && row->mode != 0755) ||
	    row->size > LARGEST_SIZE || (is_folder && row->size != 0))
		return PLAN_BAD_VALUE;
	return PLAN_OK;
}

enum plan_fault plan_outputs(const unsigned char *bytes, size_t length,
			     struct plan *plan)
{
	const size_t numbers = sizeof(plan->output_most_bytes) +
		sizeof(plan->output_most_entries);

	if (length < numbers)
		return PLAN_BAD_VALUE;
	memcpy(&plan->output_most_bytes, bytes,
	       sizeof(plan->output_most_bytes));
	memcpy(&plan->output_most_entries,
	       bytes + sizeof(plan->output_most_bytes),
	       sizeof(plan->output_most_entries));
	bytes += numbers;
	length -= numbers;
	while (length > 0) {
		const char *path = next_string(&bytes, &length);

		if (plan->output_count == PLAN_OUTPUTS)
			return PLAN_TOO_MANY;
		if (path == NULL || !is_relative_path(path))
			return PLAN_BAD_VALUE;
		plan->outputs[plan->output_count++] = path;
	}
	return plan->output_count > 0 &&
	       plan->output_most_bytes <= LARGEST_SIZE &&
	       plan->output_most_entries <= MOST_ENTRIES ?
	       PLAN_OK : PLAN_BAD_VALUE;
}
