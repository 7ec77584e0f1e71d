#define _GNU_SOURCE
#include "clocks.h"

#include "family.h"
#include "folder.h"
#include "system.h"

#include <errno.h>
#include <sys/vfs.h>

#define MS UINT64_C(1000000)
/* For a machine under heavy load; else it takes milliseconds. */
#define SETUP_NS (30000 * MS)
/* A parked cell waits as long as it is wanted; it looks up now and then. */
#define PARKED_NS (3600000 * MS)
#define CPU_PAUSE_NS (5 * MS)
#define WATCH_PAUSE_NS (10 * MS)
#define DISK_PAUSE_NS (50 * MS)
/* A folder with many files is looked at so much more rarely. */
#define DISK_SHARE 20

void clocks_start(struct keeper *keeper)
{
	keeper->started = system_now();
	keeper->next_cpu_check = keeper->started;
	/* Soon, since short programs are to be measured too. */
	keeper->next_watch = keeper->started + MS;
	keeper->next_disk_check = keeper->started + DISK_PAUSE_NS;
}

/* The soonest time at which the limit can be reached, on all processors. */
static void check_cpu(struct keeper *keeper, uint64_t now)
{
	int64_t limit = (int64_t)(keeper->plan->cpu_ms * MS);
	int64_t used = cgroup_cpu(&keeper->cgroup);
	uint64_t pause;

	if (used < 0) {
		keeper_fail(keeper, STEP_CGROUP, errno);
		return;
	}
	used -= keeper->park.processor;
	if (used >= limit) {
		keeper_end(keeper, CAUSE_CPU);
		return;
	}
	pause = (uint64_t)(limit - used) / (uint64_t)keeper->processors;
	keeper->next_cpu_check = now +
		(pause < CPU_PAUSE_NS ? CPU_PAUSE_NS : pause);
}

/* A tmpfs is memory; a folder on a disk is not. */
static uint64_t tmp_memory(const struct keeper *keeper)
{
	struct statfs status;

	if (keeper->plan->place != NULL || keeper->tmp < 0 ||
	    fstatfs(keeper->tmp, &status) < 0)
		return 0;
	return (uint64_t)(status.f_blocks - status.f_bfree) *
	       (uint64_t)status.f_bsize;
}

/* Without control groups: what the kernel says of each process. */
static void watch(struct keeper *keeper, uint64_t now)
{
	struct family_use *peak = &keeper->peak, use;

	if (family_measure(keeper->init_pid, &use) < 0) {
		keeper_fail(keeper, STEP_WATCH, errno);
		return;
	}
	use.memory += tmp_memory(keeper);
	use.processor -= use.processor < (uint64_t)keeper->park.processor ?
		use.processor : (uint64_t)keeper->park.processor;
	if (use.memory > peak->memory)
		peak->memory = use.memory;
	if (use.tasks > peak->tasks)
		peak->tasks = use.tasks;
	if (use.processor > peak->processor)
		peak->processor = use.processor;
	keeper->next_watch = now + WATCH_PAUSE_NS;
	if (use.memory > keeper->plan->watch_memory)
		keeper_end(keeper, CAUSE_MEMORY);
	else if (use.processor >= keeper->plan->cpu_ms * MS)
		keeper_end(keeper, CAUSE_CPU);
}

/* Where /tmp is a folder on somebody's disk. */
static void check_disk(struct keeper *keeper)
{
	const struct plan *plan = keeper->plan;
	uint64_t before = system_now(), after;
	struct folder_use use;

	if (folder_measure(keeper->tmp, plan->tmp_inodes, &use) < 0) {
		keeper_fail(keeper, STEP_WATCH, errno);
		return;
	}
	after = system_now();
	keeper->next_disk_check = after + DISK_PAUSE_NS +
				  DISK_SHARE * (after - before);
	if (use.bytes > plan->tmp_bytes || use.entries >= plan->tmp_inodes)
		keeper_end(keeper, CAUSE_DISK);
}

static uint64_t wall_end(const struct keeper *keeper)
{
	if (keeper->phase == PHASE_PARKED && keeper->park.is_ready)
		return UINT64_MAX;
	if (keeper->phase < PHASE_RUNNING)
		return keeper->began + SETUP_NS;
	return keeper->started + keeper->plan->wall_ms * MS;
}

void clocks_check(struct keeper *keeper)
{
	uint64_t now = system_now();

	if (now >= wall_end(keeper)) {
		if (keeper->phase < PHASE_RUNNING)
			keeper_fail(keeper, STEP_TIME, ETIMEDOUT);
		else
			keeper_end(keeper, CAUSE_WALL);
		return;
	}
	if (keeper->phase != PHASE_RUNNING)
		return;
	if (keeper->plan->watch_memory == 0 && now >= keeper->next_cpu_check)
		check_cpu(keeper, now);
	if (keeper->plan->watch_memory > 0 && now >= keeper->next_watch)
		watch(keeper, now);
	if (keeper->plan->place != NULL && now >= keeper->next_disk_check)
		check_disk(keeper);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct timespec clocks_left(const struct keeper *keeper)
{
	uint64_t now = system_now(), until = wall_end(keeper), left;

	if (keeper->phase == PHASE_RUNNING) {
		until = sooner(until, keeper->plan->watch_memory > 0 ?
			       keeper->next_watch : keeper->next_cpu_check);
		if (keeper->plan->place != NULL)
			until = sooner(until, keeper->next_disk_check);
	}
	left = until > now ? sooner(until - now, PARKED_NS) : 0;
	return (struct timespec){
		.tv_sec = (time_t)(left / (1000 * MS)),
		.tv_nsec = (long)(left % (1000 * MS)),
	};
}
