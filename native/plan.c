#include "plan.h"

#include "plan-files.h"
#include "plan-records.h"

#include <string.h>

static enum plan_fault answer(bool is_good)
{
	return is_good ? PLAN_OK : PLAN_BAD_VALUE;
}

static enum plan_fault record(enum plan_tag tag, uint16_t flags,
			      struct cursor *from, struct plan *plan)
{
	switch (tag) {
	case PLAN_ROOT:
		return answer(take_path(from, &plan->root));
	case PLAN_ARGUMENT:
		return record_argument(from, plan);
	case PLAN_VARIABLE:
		return record_variable(from, plan);
	case PLAN_DIRECTORY:
		return answer(take_path(from, &plan->directory));
	case PLAN_HOSTNAME:
		return record_hostname(from, plan);
	case PLAN_IDENTITY:
		return record_identity(from, plan);
	case PLAN_PROGRAM:
		return record_program(from, plan);
	case PLAN_LIMITS:
		return record_limits(from, plan,
			      (flags & PLAN_EXECUTABLE_TMP) != 0);
	case PLAN_RLIMIT:
		return record_rlimit(from, plan);
	case PLAN_FILTER:
		return record_filter(from, plan);
	case PLAN_CGROUP_DIRECTORY:
		return record_path_row(from, plan->directories,
				&plan->directory_count, PLAN_DIRECTORIES);
	case PLAN_CGROUP_SETTING:
		return record_setting(from, plan, (flags & PLAN_OPTIONAL) != 0);
	case PLAN_CGROUP_READING:
		return record_reading(from, plan);
	case PLAN_CGROUP_CPU:
		return record_cpu(from, plan);
	case PLAN_CGROUP_JOIN:
		return record_path_row(from, plan->joins, &plan->join_count,
				PLAN_DIRECTORIES);
	case PLAN_CGROUP_INTO:
		return answer(take_path(from, &plan->into));
	case PLAN_TRACE:
		plan->is_traced = true;
		return answer(from->left == 0);
	case PLAN_TIER:
		return record_tier(from, plan);
	case PLAN_WATCH:
		return record_watch(from, plan);
	case PLAN_FILE:
		return plan_file(from->next, from->left,
				 (flags & PLAN_FOLDER) != 0, plan);
	case PLAN_OUTPUT:
		return plan_outputs(from->next, from->left, plan);
	case PLAN_PROC:
		plan->has_proc = true;
		return answer(from->left == 0);
	case PLAN_PARK:
		plan->is_parked = true;
		return answer(from->left == 0);
	case PLAN_PROXY:
		return record_proxy(from, plan);
	case PLAN_HOST_NETWORK:
		return record_host_network(from, plan);
	case PLAN_ZYGOTE:
		return record_zygote(from, plan);
	case PLAN_BERTH:
		return record_berth(from, plan);
	case PLAN_IMAGE_LOCK:
		return answer(take_path(from, &plan->image_lock));
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

/* Zygotes and berths are parked, and in namespaces: their own, or the host's network. */
static bool has_one_role(const struct plan *plan)
{
	bool is_berth = plan->berth_socket != NULL;

	if (!plan->is_zygote && !is_berth)
		return true;
	return plan->is_parked && plan->is_zygote != is_berth &&
	       plan->place == NULL && plan->proxy_port == 0 &&
	       plan->file_count == 0 && !plan->is_traced;
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
	       !(plan->is_host_network && plan->proxy_port != 0) &&
	       has_one_role(plan);
}

static enum plan_fault decode(const unsigned char *bytes, size_t length,
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
	return PLAN_OK;
}

enum plan_fault plan_decode(const unsigned char *bytes, size_t length,
			    struct plan *plan)
{
	enum plan_fault fault = decode(bytes, length, plan);

	if (fault != PLAN_OK)
		return fault;
	return is_complete(plan) ? PLAN_OK : PLAN_INCOMPLETE;
}

enum plan_fault plan_decode_job(const unsigned char *bytes, size_t length,
				struct plan *plan)
{
	enum plan_fault fault = decode(bytes, length, plan);

	if (fault != PLAN_OK)
		return fault;
	return plan->argument_count > 0 && plan->program_name != NULL &&
	       plan->wall_ms > 0 ? PLAN_OK : PLAN_INCOMPLETE;
}
