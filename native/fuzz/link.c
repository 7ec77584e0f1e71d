/*
 * Any packet, with any descriptors, as one that init sends its keeper, in
 * each phase.  The keeper must not wait, must keep or close each descriptor
 * that came, and must end the run for whatever it does not understand.
 */
#define _GNU_SOURCE
#include "../keeper.c"
#include "../packet.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MOST_DESCRIPTORS 6
#define DESCRIPTORS 64

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

/* Of all numbers that could be given here. */
static int count_open(void)
{
	int count = 0;

	for (int i = 0; i < DESCRIPTORS; i++)
		count += fcntl(i, F_GETFD) >= 0;
	return count;
}

/* A run goes on after one packet only, the first, with all descriptors. */
static void check_state(const struct keeper *keeper, enum phase before,
			size_t length)
{
	const struct plan *plan = keeper->plan;

	if (keeper->phase == PHASE_OVER) {
		must(keeper->has_ended || keeper->failed_step > STEP_NONE);
		must(keeper->failed_step < STEP_COUNT);
		return;
	}
	must(before == PHASE_SETUP && keeper->phase ==
	     (plan->is_parked ? PHASE_PARKED : PHASE_RUNNING));
	must(length == sizeof(struct message));
	must(keeper->listener >= 0 && keeper->main_pidfd >= 0 &&
	     keeper->tmp >= 0);
	must((keeper->park.run >= 0) == plan->is_parked);
	must((keeper->bridge.listener >= 0) == (plan->proxy_socket != NULL));
}

static void close_kept(struct keeper *keeper)
{
	system_close(keeper->listener);
	system_close(keeper->main_pidfd);
	system_close(keeper->tmp);
	system_close(keeper->park.run);
	system_close(keeper->bridge.listener);
}

/* What is heard here makes no berth. */
int keeper_live_as_berth(const struct berth *berth, const unsigned char *bytes,
			size_t length)
{
	(void)berth, (void)bytes, (void)length;
	abort();
}

/* As cell.c has it before the first packet. */
static void begin(struct keeper *keeper, struct plan *plan, enum phase phase)
{
	memset(keeper, 0, sizeof(*keeper));
	keeper->plan = plan;
	keeper->phase = phase;
	keeper->cgroup.plan = plan;
	keeper->listener = keeper->main_pidfd = keeper->tmp = -1;
	keeper->park = (struct park){ .guest = -1, .job = -1, .run = -1 };
	keeper->bridge.listener = -1;
	keeper->berth.link = keeper->berth.desk = -1;
	keeper->berth.guest_link = -1;
	zygote_open(&keeper->zygote);
}

static enum phase phase_of(unsigned char how)
{
	if ((how & 16) != 0)
		return PHASE_RUNNING;
	return (how & 64) != 0 ? PHASE_PARKED : PHASE_SETUP;
}

/*
 * The first byte: how many descriptors, in which phase it comes, and whether
 * the cell waits for a job or has a proxy.
 */
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	static struct plan plan = { .directories = { "/nowhere" } };
	static struct keeper keeper;
	static const int descriptors[MOST_DESCRIPTORS];
	enum phase phase;
	int link[2], before;

	if (length < 2 || length > 65536)
		return 0;
	before = count_open();
	phase = phase_of(bytes[0]);
	plan.is_parked = phase == PHASE_PARKED || (bytes[0] & 32) != 0;
	plan.proxy_socket = (bytes[0] & 128) != 0 ? "/nowhere" : NULL;
	begin(&keeper, &plan, phase);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) == 0);
	keeper.link = link[0];
	must(packet_send(link[1], bytes + 1, length - 1, descriptors,
			 (bytes[0] & 15) % (MOST_DESCRIPTORS + 1)) == 0);
	hear_init(&keeper);
	check_state(&keeper, phase, length - 1);
	close_kept(&keeper);
	close(link[0]);
	close(link[1]);
	must(count_open() == before);
	return 0;
}
