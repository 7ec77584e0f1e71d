/*
 * Any packet, with any descriptors, as one that init sends its keeper, in
 * each phase.  The keeper must not wait, must keep or close each descriptor
 * that came, and must end the run for whatever it does not understand.
 */
#define _GNU_SOURCE
#include "../keeper.c"

#include <fcntl.h>
#include <stdlib.h>

#define MOST_DESCRIPTORS 6

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

/* The first number that is free: all below are taken before and after. */
static int first_free(void)
{
	int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);

	must(descriptor >= 0);
	close(descriptor);
	return descriptor;
}

static void send_packet(int link, const unsigned char *bytes, size_t length,
			size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
	} control;
	struct iovec part = { (void *)(uintptr_t)bytes, length };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	int descriptors[MOST_DESCRIPTORS] = { 0 };

	memset(&control, 0, sizeof(control));
	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), descriptors,
		       count * sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	must(sendmsg(link, &packet, MSG_NOSIGNAL) == (ssize_t)length);
}

/* A run goes on after one packet only, the first, with all descriptors. */
static void check_state(const struct keeper *keeper, enum phase before,
			size_t length)
{
	if (keeper->phase == PHASE_OVER) {
		must(keeper->has_ended || keeper->failed_step > STEP_NONE);
		must(keeper->failed_step < STEP_COUNT);
		return;
	}
	must(keeper->phase == PHASE_RUNNING && before == PHASE_SETUP);
	must(length == sizeof(struct message));
	must(keeper->listener >= 0 && keeper->main_pidfd >= 0 &&
	     keeper->tmp >= 0);
}

static void close_kept(struct keeper *keeper)
{
	system_close(keeper->listener);
	system_close(keeper->main_pidfd);
	system_close(keeper->tmp);
}

/* What is heard here makes no berth. */
int keeper_live_as_berth(const struct berth *berth, const unsigned char *bytes,
			size_t length)
{
	(void)berth, (void)bytes, (void)length;
	abort();
}

/* The first byte: how many descriptors, and whether the program runs. */
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	static struct plan plan = { .directories = { "/nowhere" } };
	static struct keeper keeper;
	enum phase phase;
	int link[2], before;

	if (length < 2 || length > 65536)
		return 0;
	before = first_free();
	phase = (bytes[0] & 16) != 0 ? PHASE_RUNNING : PHASE_SETUP;
	memset(&keeper, 0, sizeof(keeper));
	keeper.plan = &plan;
	keeper.phase = phase;
	keeper.cgroup.plan = &plan;
	keeper.listener = keeper.main_pidfd = keeper.tmp = -1;
	keeper.berth.guest_link = -1;
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) == 0);
	keeper.link = link[0];
	send_packet(link[1], bytes + 1, length - 1,
		    (bytes[0] & 15) % (MOST_DESCRIPTORS + 1));
	hear_init(&keeper);
	check_state(&keeper, phase, length - 1);
	close_kept(&keeper);
	close(link[0]);
	close(link[1]);
	must(first_free() == before);
	return 0;
}
