#include "plan-records.h"

#include "berth.h"

#include <string.h>

#define HOSTNAME_LONGEST 64
#define NAME_LONGEST 255
#define RESOURCES 16
/* Of a socket's path: sun_path without its NUL, unix(7). */
#define SOCKET_LONGEST 107
#define ETC_FILE_LARGEST 65536u
/* Milliseconds that still fit as nanoseconds; sizes that fit a loff_t. */
#define LARGEST_MS (UINT64_C(1) << 40)
#define LARGEST_SIZE (UINT64_C(1) << 50)

static enum plan_fault value(bool is_good)
{
	return is_good ? PLAN_OK : PLAN_BAD_VALUE;
}

enum plan_fault record_path_row(struct cursor *from, const char **rows,
				size_t *count, size_t room)
{
	if (*count == room)
		return PLAN_TOO_MANY;
	return value(take_path(from, &rows[(*count)++]));
}

enum plan_fault record_argument(struct cursor *from, struct plan *plan)
{
	const char **into = &plan->arguments[plan->argument_count];

	if (plan->argument_count == PLAN_STRINGS)
		return PLAN_TOO_MANY;
	if (plan->argument_count++ == 0)
		return value(take_path(from, into));
	return value(take_last_string(from, into));
}

enum plan_fault record_variable(struct cursor *from, struct plan *plan)
{
	const char **into = &plan->variables[plan->variable_count];

	if (plan->variable_count++ == PLAN_STRINGS)
		return PLAN_TOO_MANY;
	return value(take_last_string(from, into) && (*into)[0] != '=' &&
		     strchr(*into, '=') != NULL);
}

enum plan_fault record_hostname(struct cursor *from, struct plan *plan)
{
	return value(take_last_string(from, &plan->hostname) &&
		     plan->hostname[0] != '\0' &&
		     strlen(plan->hostname) <= HOSTNAME_LONGEST);
}

/* Never root, and never the id that stands for "unknown" or "no change". */
enum plan_fault record_identity(struct cursor *from, struct plan *plan)
{
	return value(take_u32(from, &plan->uid_first) &&
		     take_u32(from, &plan->uid_count) &&
		     take_path(from, &plan->uid_lock) &&
		     plan->uid_first >= 1000 && plan->uid_count >= 1 &&
		     plan->uid_count <= PLAN_IDENTITIES &&
		     plan->uid_first <= INT32_MAX - plan->uid_count);
}

enum plan_fault record_program(struct cursor *from, struct plan *plan)
{
	const char *name;

	if (!take_string(from, &name) || name[0] == '\0' ||
	    strlen(name) > NAME_LONGEST || strchr(name, '/') != NULL ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return PLAN_BAD_VALUE;
	plan->program_name = name;
	plan->program = from->next;
	plan->program_length = from->left;
	from->left = 0;
	return PLAN_OK;
}

enum plan_fault record_limits(struct cursor *from, struct plan *plan,
			      bool executable_tmp)
{
	plan->executable_tmp = executable_tmp;
	return value(take_u64(from, &plan->wall_ms) &&
		     take_u64(from, &plan->cpu_ms) &&
		     take_u64(from, &plan->output_bytes) &&
		     take_u64(from, &plan->tmp_bytes) &&
		     take_u64(from, &plan->tmp_inodes) &&
		     take_u64(from, &plan->denials) && from->left == 0 &&
		     plan->wall_ms >= 1 && plan->wall_ms <= LARGEST_MS &&
		     plan->cpu_ms >= 1 && plan->cpu_ms <= LARGEST_MS &&
		     plan->output_bytes <= LARGEST_SIZE &&
		     /* For tmpfs(5), zero would mean "no limit". */
		     plan->tmp_bytes >= 1 && plan->tmp_bytes <= LARGEST_SIZE &&
		     plan->tmp_inodes >= 1 && plan->tmp_inodes <= LARGEST_SIZE);
}

enum plan_fault record_rlimit(struct cursor *from, struct plan *plan)
{
	struct plan_rlimit *row = &plan->rlimits[plan->rlimit_count];

	if (plan->rlimit_count == PLAN_RLIMITS)
		return PLAN_TOO_MANY;
	plan->rlimit_count++;
	return value(take_u32(from, &row->resource) &&
		     take_u64(from, &row->soft) &&
		     take_u64(from, &row->hard) && from->left == 0 &&
		     row->resource < RESOURCES && row->soft <= row->hard);
}

enum plan_fault record_filter(struct cursor *from, struct plan *plan)
{
	size_t length = from->left / sizeof(plan->filter[0]);

	if (from->left % sizeof(plan->filter[0]) != 0 || length == 0 ||
	    length > BPF_MAXINSNS)
		return PLAN_BAD_VALUE;
	plan->filter_length = length;
	return value(take_bytes(from, plan->filter, from->left));
}

enum plan_fault record_setting(struct cursor *from, struct plan *plan,
			       bool optional)
{
	struct plan_setting *row = &plan->settings[plan->setting_count];

	if (plan->setting_count == PLAN_SETTINGS)
		return PLAN_TOO_MANY;
	plan->setting_count++;
	row->optional = optional;
	return value(take_string(from, &row->file) && row->file[0] == '/' &&
		     take_last_string(from, &row->value));
}

static bool is_label(const char *text)
{
	return text[0] != '\0' && strlen(text) <= 32 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text);
}

enum plan_fault record_reading(struct cursor *from, struct plan *plan)
{
	struct plan_reading *row = &plan->readings[plan->reading_count];

	if (plan->reading_count == PLAN_READINGS)
		return PLAN_TOO_MANY;
	plan->reading_count++;
	return value(take_string(from, &row->label) && is_label(row->label) &&
		     take_path(from, &row->file));
}

enum plan_fault record_cpu(struct cursor *from, struct plan *plan)
{
	uint32_t unit;

	if (!take_u32(from, &unit) || unit > 1 ||
	    !take_path(from, &plan->cpu_file))
		return PLAN_BAD_VALUE;
	plan->cpu_is_micros = unit == 1;
	return PLAN_OK;
}

/* Tiers without mounts of their own need a folder, the others have none. */
enum plan_fault record_tier(struct cursor *from, struct plan *plan)
{
	uint32_t number;

	if (!take_u32(from, &number) || number < TIER_A || number > TIER_D)
		return PLAN_BAD_VALUE;
	plan->tier = (enum tier)number;
	if ((TIERS(plan->tier) & TIERS_MOUNTED) != 0)
		return value(from->left == 0);
	return value(take_path(from, &plan->place) &&
		     strlen(plan->place) <= PLAN_PLACE_LONGEST);
}

enum plan_fault record_watch(struct cursor *from, struct plan *plan)
{
	return value(take_u64(from, &plan->watch_memory) &&
		     take_u64(from, &plan->watch_processes) &&
		     from->left == 0 && plan->watch_memory >= 1 &&
		     plan->watch_memory <= LARGEST_SIZE &&
		     plan->watch_processes >= 1 &&
		     plan->watch_processes <= LARGEST_SIZE);
}

/* A port that needs no privilege: in a cell whose network is the host's too. */
enum plan_fault record_proxy(struct cursor *from, struct plan *plan)
{
	uint32_t port;

	if (!take_u32(from, &port) || port < 1024 || port > UINT16_MAX ||
	    !take_last_string(from, &plan->proxy_socket))
		return PLAN_BAD_VALUE;
	plan->proxy_port = (uint16_t)port;
	if (plan->proxy_socket[0] == '\0') {
		plan->proxy_socket = NULL;
		return PLAN_OK;
	}
	return value(plan->proxy_socket[0] == '/' &&
		     strlen(plan->proxy_socket) <= SOCKET_LONGEST);
}

enum plan_fault record_host_network(struct cursor *from, struct plan *plan)
{
	plan->is_host_network = true;
	return value(take_string(from, &plan->resolver) &&
		     take_last_string(from, &plan->hosts) &&
		     strlen(plan->resolver) <= ETC_FILE_LARGEST &&
		     strlen(plan->hosts) <= ETC_FILE_LARGEST);
}

enum plan_fault record_zygote(struct cursor *from, struct plan *plan)
{
	plan->is_zygote = true;
	return value(take_last_string(from, &plan->zygote_socket) &&
		     plan->zygote_socket[0] == '/' &&
		     strlen(plan->zygote_socket) <= SOCKET_LONGEST);
}

enum plan_fault record_berth(struct cursor *from, struct plan *plan)
{
	return value(take_string(from, &plan->berth_socket) &&
		     take_last_string(from, &plan->berth_id) &&
		     plan->berth_socket[0] == '/' &&
		     strlen(plan->berth_socket) <= SOCKET_LONGEST &&
		     strlen(plan->berth_id) == BERTH_ID);
}
