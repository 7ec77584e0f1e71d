/*
 * Tests of clocks.c, with time and measures of its own. Prints `ok N`, under
 * ASan and UBSan.
 */
#include "clocks.h"
#include "folder.h"
#include "system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000000)

static uint64_t now;
static uint64_t processor;
static int checks;

static void check(bool is_true, const char *what)
{
	checks++;
	if (is_true)
		return;
	fprintf(stderr, "not true: %s\n", what);
	exit(1);
}

uint64_t system_now(void)
{
	return now;
}

int64_t cgroup_cpu(const struct cgroup *cgroup)
{
	(void)cgroup;
	return (int64_t)processor;
}

int family_measure(pid_t first, struct family_use *use)
{
	(void)first;
	*use = (struct family_use){ .tasks = 1, .processor = processor };
	return 0;
}

int folder_measure(int folder, uint64_t most, struct folder_use *use)
{
	(void)folder;
	(void)most;
	*use = (struct folder_use){ .entries = 0 };
	return 0;
}

void keeper_fail(struct keeper *keeper, enum step step, int error)
{
	keeper->phase = PHASE_OVER;
	keeper->failed_step = step;
	keeper->failed_error = error;
}

void keeper_end(struct keeper *keeper, enum cause cause)
{
	keeper->phase = PHASE_OVER;
	keeper->cause = cause;
}

static struct plan plan;
static struct keeper keeper;

/* A cell that was begun a second after the machine was. */
static void begin(enum phase phase, uint64_t watched)
{
	now = SECOND;
	processor = 0;
	plan = (struct plan){
		.is_parked = true, .wall_ms = 5000, .cpu_ms = 2000,
		.watch_memory = watched,
	};
	keeper = (struct keeper){
		.plan = &plan, .phase = phase, .began = now, .tmp = -1,
		.processors = 2,
	};
}

static enum phase phase_at(uint64_t time)
{
	now = time;
	clocks_check(&keeper);
	return keeper.phase;
}

static void check_setup(enum phase phase)
{
	begin(phase, 0);
	check(clocks_left(&keeper).tv_sec == 30, "time to get ready");
	check(phase_at(31 * SECOND - 1) == phase, "is waited for");
	check(phase_at(31 * SECOND) == PHASE_OVER, "is not waited for");
	check(keeper.failed_step == STEP_TIME &&
	      keeper.failed_error == ETIMEDOUT, "and why");
}

static void check_waiting(void)
{
	begin(PHASE_PARKED, 0);
	keeper.park.is_ready = true;
	processor = 3600 * SECOND;
	check(clocks_left(&keeper).tv_sec == 3600, "looks up now and then");
	check(phase_at(UINT64_C(100000) * SECOND) == PHASE_PARKED,
	      "waits without a limit");
}

/* Limits begin with the run, whatever was used before. */
static void check_running(uint64_t watched)
{
	begin(PHASE_PARKED, watched);
	keeper.park.is_ready = true;
	keeper.park.processor = (int64_t)(10 * SECOND);
	now = 100 * SECOND;
	processor = 10 * SECOND;
	clocks_start(&keeper);
	keeper.phase = PHASE_RUNNING;
	check(phase_at(101 * SECOND) == PHASE_RUNNING, "what was used before");
	processor = 12 * SECOND - 1;
	check(phase_at(102 * SECOND) == PHASE_RUNNING, "is not the run's");
	processor = 12 * SECOND;
	check(phase_at(104 * SECOND) == PHASE_OVER &&
	      keeper.cause == CAUSE_CPU, "but what is used after");
}

static void check_wall(void)
{
	begin(PHASE_PARKED, 0);
	now = 100 * SECOND;
	clocks_start(&keeper);
	keeper.phase = PHASE_RUNNING;
	check(phase_at(105 * SECOND - 1) == PHASE_RUNNING, "before its end");
	check(phase_at(105 * SECOND) == PHASE_OVER &&
	      keeper.cause == CAUSE_WALL, "at its end");
}

int main(void)
{
	check_setup(PHASE_SETUP);
	check_setup(PHASE_PARKED);
	check_waiting();
	check_running(0);
	check_running(4096);
	check_wall();
	printf("ok %d\n", checks);
	return 0;
}
