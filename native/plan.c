#include "plan.h"

#include "plan-files.h"

#include <string.h>

#define HOSTNAME_LONGEST 64
#define NAME_LONGEST 255
#define PATH_LONGEST 4095
#define RESOURCES 16
/* Of a socket's path: sun_path without its NUL, unix(7). */
#define SOCKET_LONGEST 107
#define ETC_FILE_LARGEST 65536u
/* Milliseconds that still fit as nanoseconds; sizes that fit a loff_t. */
#define LARGEST_MS (UINT64_C(1) << 40)
#define LARGEST_SIZE (UINT64_C(1) << 50)

struct cursor {
	const unsigned char *next;
	size_t left;
};

static bool take_bytes(struct cursor *from, void *into, size_t length)
{
	if (from->left < length)
		return false;
	memcpy(into, from->next, length);
	from->next += length;
	from->left -= length;
	return true;
}

/* The supported machines are little-endian, as the plan is. */
static bool take_u16(struct cursor *from, uint16_t *into)
{
	return take_bytes(from, into, sizeof(*into));
}

static bool take_u32(struct cursor *from, uint32_t *into)
{
	return take_bytes(from, into, sizeof(*into));
}

static bool take_u64(struct cursor *from, uint64_t *into)
{
	return take_bytes(from, into, sizeof(*into));
}

static bool take_string(struct cursor *from, const char **into)
{
	const unsigned char *end;

	if (from->left == 0)
		return false;
	end = memchr(from->next, '\0', from->left);
	if (end == NULL)
		return false;
	*into = (const char *)from->next;
	from->left -= (size_t)(end - from->next) + 1;
	from->next = end + 1;
	return true;
}

/* A string that is the whole rest of its record. */
static bool take_last_string(struct cursor *from, const char **into)
{
	return take_string(from, into) && from->left == 0;
}

static bool take_path(struct cursor *from, const char **into)
{
	return take_last_string(from, into) && (*into)[0] == '/' &&
	       strlen(*into) <= PATH_LONGEST;
}

static enum plan_fault value(bool is_good)
{
	return is_good ? PLAN_OK : PLAN_BAD_VALUE;
}

static enum plan_fault path_row(struct cursor *from, const char **rows,
				size_t *count, size_t room)
{
	if (*count == room)
		return PLAN_TOO_MANY;
	return value(take_path(from, &rows[(*count)++]));
}

static enum plan_fault argument(struct cursor *from, struct plan *plan)
{
	const char **into = &plan->arguments[plan->argument_count];

	if (plan->argument_count == PLAN_STRINGS)
		return PLAN_TOO_MANY;
	if (plan->argument_count++ == 0)
		return value(take_path(from, into));
	return value(take_last_string(from, into));
}

static enum plan_fault variable(struct cursor *from, struct plan *plan)
{
	const char **into = &plan->variables[plan->variable_count];

	if (plan->variable_count++ == PLAN_STRINGS)
		return PLAN_TOO_MANY;
	return value(take_last_string(from, into) && (*into)[0] != '=' &&
		     strchr(*into, '=') != NULL);
}

static enum plan_fault hostname(struct cursor *from, struct plan *plan)
{
	return value(take_last_string(from, &plan->hostname) &&
		     plan->hostname[0] != '\0' &&
		     strlen(plan->hostname) <= HOSTNAME_LONGEST);
}

/* Never root, and never the id that stands for "unknown" or "no change". */
static enum plan_fault identity(struct cursor *from, struct plan *plan)
{
	return value(take_u32(from, &plan->uid_first) &&
		     take_u32(from, &plan->uid_count) &&
		     take_path(from, &plan->uid_lock) &&
		     plan->uid_first >= 1000 && plan->uid_count >= 1 &&
		     plan->uid_count <= PLAN_IDENTITIES &&
		     plan->uid_first <= INT32_MAX - plan->uid_count);
}

static enum plan_fault program(struct cursor *from, struct plan *plan)
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

static enum plan_fault limits(struct cursor *from, struct plan *plan,
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

static enum plan_fault rlimit(struct cursor *from, struct plan *plan)
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

static enum plan_fault filter(struct cursor *from, struct plan *plan)
{
	size_t length = from->left / sizeof(plan->filter[0]);

	if (from->left % sizeof(plan->filter[0]) != 0 || length == 0 ||
	    length > BPF_MAXINSNS)
		return PLAN_BAD_VALUE;
	plan->filter_length = length;
	return value(take_bytes(from, plan->filter, from->left));
}

static enum plan_fault setting(struct cursor *from, struct plan *plan,
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

static enum plan_fault reading(struct cursor *from, struct plan *plan)
{
	struct plan_reading *row = &plan->readings[plan->reading_count];

	if (plan->reading_count == PLAN_READINGS)
		return PLAN_TOO_MANY;
	plan->reading_count++;
	return value(take_string(from, &row->label) && is_label(row->label) &&
		     take_path(from, &row->file));
}

static enum plan_fault cpu(struct cursor *from, struct plan *plan)
{
	uint32_t unit;

	if (!take_u32(from, &unit) || unit > 1 ||
	    !take_path(from, &plan->cpu_file))
		return PLAN_BAD_VALUE;
	plan->cpu_is_micros = unit == 1;
	return PLAN_OK;
}

/* Tiers without mounts of their own need a folder, the others have none. */
static enum plan_fault tier(struct cursor *from, struct plan *plan)
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

static enum plan_fault watch(struct cursor *from, struct plan *plan)
{
	return value(take_u64(from, &plan->watch_memory) &&
		     take_u64(from, &plan->watch_processes) &&
		     from->left == 0 && plan->watch_memory >= 1 &&
		     plan->watch_memory <= LARGEST_SIZE &&
		     plan->watch_processes >= 1 &&
		     plan->watch_processes <= LARGEST_SIZE);
}

/* A port that needs no privilege: in a cell whose network is the host's too. */
static enum plan_fault proxy(struct cursor *from, struct plan *plan)
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

static enum plan_fault host_network(struct cursor *from, struct plan *plan)
{
	plan->is_host_network = true;
	return value(take_string(from, &plan->resolver) &&
		     take_last_string(from, &plan->hosts) &&
		     strlen(plan->resolver) <= ETC_FILE_LARGEST &&
		     strlen(plan->hosts) <= ETC_FILE_LARGEST);
}

static enum plan_fault record(enum plan_tag tag, uint16_t flags,
			      struct cursor *from, struct plan *plan)
{
	switch (tag) {
	case PLAN_ROOT:
		return value(take_path(from, &plan->root));
	case PLAN_ARGUMENT:
		return argument(from, plan);
	case PLAN_VARIABLE:
		return variable(from, plan);
	case PLAN_DIRECTORY:
		return value(take_path(from, &plan->directory));
	case PLAN_HOSTNAME:
		return hostname(from, plan);
	case PLAN_IDENTITY:
		return identity(from, plan);
	case PLAN_PROGRAM:
		return program(from, plan);
	case PLAN_LIMITS:
		return limits(from, plan,
			      (flags & PLAN_EXECUTABLE_TMP) != 0);
	case PLAN_RLIMIT:
		return rlimit(from, plan);
	case PLAN_FILTER:
		return filter(from, plan);
	case PLAN_CGROUP_DIRECTORY:
		return path_row(from, plan->directories,
				&plan->directory_count, PLAN_DIRECTORIES);
	case PLAN_CGROUP_SETTING:
		return setting(from, plan, (flags & PLAN_OPTIONAL) != 0);
	case PLAN_CGROUP_READING:
		return reading(from, plan);
	case PLAN_CGROUP_CPU:
		return cpu(from, plan);
	case PLAN_CGROUP_JOIN:
		return path_row(from, plan->joins, &plan->join_count,
				PLAN_DIRECTORIES);
	case PLAN_CGROUP_INTO:
		return value(take_path(from, &plan->into));
	case PLAN_TRACE:
		plan->is_traced = true;
		return value(from->left == 0);
	case PLAN_TIER:
		return tier(from, plan);
	case PLAN_WATCH:
		return watch(from, plan);
	case PLAN_FILE:
		return plan_file(from->next, from->left,
				 (flags & PLAN_FOLDER) != 0, plan);
	case PLAN_OUTPUT:
		return plan_outputs(from->next, from->left, plan);
	case PLAN_PROC:
		plan->has_proc = true;
		return value(from->left == 0);
	case PLAN_PROXY:
		return proxy(from, plan);
	case PLAN_HOST_NETWORK:
		return host_network(from, plan);
	case PLAN_TAGS:
		break;
	}
	return PLAN_BAD_RECORD;
}

static bool may_repeat(enum plan_tag tag)
{
	switch (tag) {
	case PLAN_ARGUMENT:
	case PLAN_VARIABLE:
	case PLAN_RLIMIT:
	case PLAN_CGROUP_DIRECTORY:
	case PLAN_CGROUP_SETTING:
	case PLAN_CGROUP_READING:
	case PLAN_CGROUP_JOIN:
	case PLAN_FILE:
		return true;
	default:
		return false;
	}
}

/* The flags that a record of this kind may have. */
static uint16_t flags_of(enum plan_tag tag)
{
	switch (tag) {
	case PLAN_CGROUP_SETTING:
		return PLAN_OPTIONAL;
	case PLAN_LIMITS:
		return PLAN_EXECUTABLE_TMP;
	case PLAN_FILE:
		return PLAN_FOLDER;
	default:
		return 0;
	}
}

static bool take_header(struct cursor *from, enum plan_tag *tag,
			uint16_t *flags, struct cursor *body)
{
	uint16_t number;
	uint32_t length;

	if (!take_u16(from, &number) || !take_u16(from, flags) ||
	    !take_u32(from, &length) || length > from->left)
		return false;
	if (number == 0 || number >= PLAN_TAGS ||
	    (*flags & (uint16_t)~flags_of((enum plan_tag)number)) != 0)
		return false;
	*tag = (enum plan_tag)number;
	*body = (struct cursor){ from->next, length };
	from->next += length;
	from->left -= length;
	return true;
}

static bool has_cgroups(const struct plan *plan)
{
	return plan->cpu_file != NULL && plan->directory_count > 0 &&
	       (plan->join_count > 0 || plan->into != NULL) &&
	       plan->setting_count > 0;
}

static bool has_no_cgroups(const struct plan *plan)
{
	return plan->cpu_file == NULL && plan->directory_count == 0 &&
	       plan->join_count == 0 && plan->into == NULL &&
	       plan->setting_count == 0 && plan->reading_count == 0;
}

/* A run without a limit of each kind, or without a filter, is no cell. */
static bool is_complete(const struct plan *plan)
{
	return plan->root != NULL && plan->directory != NULL &&
	       plan->hostname != NULL && plan->uid_lock != NULL &&
	       plan->argument_count > 0 && plan->wall_ms > 0 &&
	       plan->filter_length > 0 &&
	       (plan->watch_memory > 0 ? has_no_cgroups(plan) :
					 has_cgroups(plan)) &&
	       !(plan->is_host_network && plan->proxy_port != 0);
}

enum plan_fault plan_decode(const unsigned char *bytes, size_t length,
			    struct plan *plan)
{
	struct cursor all = { bytes, length };
	bool seen[PLAN_TAGS] = { false };

	memset(plan, 0, offsetof(struct plan, files));
	plan->tier = TIER_A;
	if (length < PLAN_MAGIC_LENGTH ||
	    memcmp(bytes, PLAN_MAGIC, PLAN_MAGIC_LENGTH) != 0)
		return PLAN_BAD_MAGIC;
	all.next += PLAN_MAGIC_LENGTH;
	all.left -= PLAN_MAGIC_LENGTH;
	while (all.left > 0) {
		struct cursor body;
		enum plan_tag tag;
		enum plan_fault fault;
		uint16_t flags;

		if (!take_header(&all, &tag, &flags, &body) ||
		    (seen[tag] && !may_repeat(tag)))
			return PLAN_BAD_RECORD;
		seen[tag] = true;
		fault = record(tag, flags, &body, plan);
		if (fault != PLAN_OK)
			return fault;
	}
	return is_complete(plan) ? PLAN_OK : PLAN_INCOMPLETE;
}
