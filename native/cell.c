/*
 * cell: makes one sandbox, runs one program in it, and tells what happened.
 *
 * Three processes.
 *
 *   keeper (this file, start.c, keeper.c)  The caller's child, root, in the host's
 *	namespaces.  Makes the control groups and the cell, relays stdio,
 *	counts time, answers denied system calls, kills, cleans up, reports.
 *	It executes nothing and opens no path inside the image.
 *   init (init.c, root.c)  Pid 1 of the cell's namespaces, root until the
 *	main process exists, then without any capability.  Builds the root,
 *	starts the main process, reaps, tells how the main process ended.
 *   main (guest.c)  Pid 2.  Confines itself step by step and becomes the
 *	program.  Not pid 1, for which the kernel treats signals otherwise.
 *
 * What connects them.
 *
 *   0, 1, 2	The caller's stdio.  The program gets pipes of its own; the
 *		keeper relays, so that no descriptor, terminal or file position
 *		of the caller is ever in the hands of a guest.
 *   3		The plan (plan.h), read to its end before anything is done.
 *   4		Status records (status.h), sent together at the end.  When its
 *		reader goes, the run ends.
 *   5		Files that the run leaves (frames.h), when the plan asks.
 *   6		Contents of the files that the plan places (inputs.h).
 *   7		The job of a cell that is made before it has one (park.h).
 *   link	SEQPACKET between keeper and init (inside.h).  Each takes the
 *		end of the other there as its own end.
 *   listener	Main's seccomp notifications.  Main and init share one table
 *		of descriptors until the program starts; init sends it on.
 *
 * Where nobody plans, as in a container of the bare image, `cell run` takes
 * words: the plan is then one that was prepared with the image (prepared.h),
 * and what the records would say is told to a person (command.c, told.c).
 *
 * Why in this order.  The plan is decoded before the first step that leaves a
 * trace.  The user id and the control groups come before the cell, since they
 * can be refused.  Init first joins its groups, so that nothing it makes goes
 * uncounted.  Whatever fails, nothing is run: exit status 125 and
 * the record `failed` with the step.
 *
 * In four tiers (plan.h), by what the host allows.  A: as above.  B: the same
 * inside a user namespace, by any user.  C: no namespaces; the cell's root is
 * a slot that it enters by chroot.  D: no other root and no other user, only
 * Landlock.  In C and D the cell does not end with init, so init, a
 * subreaper, kills what is left when the keeper closes the link or dies, and
 * the keeper does when init is dead.  Steps name the tiers that take them.
 *
 * Exit status: the program's own; 128 + its signal; 124 when a limit ended
 * the run; 125 when there was no run.  By words it is as `rootcellar run`'s.
 */
#define _GNU_SOURCE
#include "command.h"
#include "identity.h"
#include "image-lock.h"
#include "inputs.h"
#include "keeper.h"
#include "probe.h"
#include "berth.h"
#include "status.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERSION "1"
#define PLAN_DESCRIPTOR 3
#define STATUS_LIMIT 124
#define STATUS_MISUSED 64

static unsigned char plan_bytes[PLAN_LARGEST + 1];
static struct plan plan;
static struct keeper keeper;

static int read_plan(void)
{
	size_t length = 0;
	ssize_t more;

	while ((more = read(PLAN_DESCRIPTOR, plan_bytes + length,
			    sizeof(plan_bytes) - length)) != 0) {
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		length += (size_t)more;
		if (length > PLAN_LARGEST) {
			errno = EFBIG;
			return -1;
		}
	}
	system_close(PLAN_DESCRIPTOR);
	errno = EINVAL;
	return plan_decode(plan_bytes, length, &plan) == PLAN_OK ? 0 : -1;
}

/*
 * Descriptors 0 to 7 must be taken, so that nothing of ours gets one of those
 * numbers; signals must wait, so that none kills the keeper before it cleans
 * up; a stopped keeper would keep no time.
 */
static int prepare_process(void)
{
	static const int ignored[] = { SIGPIPE, SIGTTIN, SIGTTOU, SIGTSTP };
	static const int forwarded[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
	};
	sigset_t all, some;
	struct stat status;

	for (int i = 0; i <= PARK_DESCRIPTOR; i++) {
		if (fcntl(i, F_GETFD) < 0 &&
		    (i == STATUS_DESCRIPTOR || open("/dev/null", O_RDWR) != i))
			return -1;
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		if (signal(ignored[i], SIG_IGN) == SIG_ERR)
			return -1;
	}
	sigemptyset(&some);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&some, forwarded[i]);
	sigfillset(&all);
	if (fstat(STATUS_DESCRIPTOR, &status) < 0)
		return -1;
	keeper.status_events = S_ISSOCK(status.st_mode) ? POLLRDHUP : 0;
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
	    sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return -1;
	keeper.signals = signalfd(-1, &some, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper.signals < 0 ? -1 : prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void fail(enum step step)
{
	keeper_fail(&keeper, step, errno);
}

/* Who may choose no identity has the caller's. */
static int take_identity(void)
{
	if (plan.tier == TIER_A || plan.tier == TIER_C)
		return identity_take(&plan, &keeper.uid, &keeper.uid_lock);
	keeper.uid = geteuid();
	return 0;
}

/* Without control groups, processes are counted and limited by user. */
static int count_others(void)
{
	int64_t tasks;

	if (plan.tier != TIER_D)
		return 0;
	tasks = family_tasks_of_user(keeper.uid);
	keeper.tasks = tasks < 0 ? 0 : (uint64_t)tasks;
	return tasks < 0 ? -1 : 0;
}

/* What is left of a cell that ends becomes ours, and can be killed. */
static int take_place(enum step *step)
{
	if (plan.place == NULL)
		return 0;
	*step = STEP_PLACE;
	umask(022);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -1;
	return place_prepare(&keeper.place, &plan, keeper.uid,
			     keeper.uid - plan.uid_first, step);
}

/* Everything up to the moment at which there is a cell to watch. */
static void set_up_planned(void)
{
	enum step step = STEP_NONE;

	if (image_lock_take(plan.image_lock, &keeper.image_lock) < 0)
		fail(STEP_IMAGE_LOCK);
	else if (take_identity() < 0)
		fail(STEP_IDENTITY_LOCK);
	else if (plan.cpu_file != NULL &&
		 cgroup_create(&keeper.cgroup, &plan) < 0)
		fail(STEP_CGROUP);
	else if (count_others() < 0)
		fail(STEP_WATCH);
	else if (take_place(&step) < 0)
		fail(step);
	else if (keeper_start(&keeper) < 0)
		fail(STEP_NAMESPACES);
}

static void set_up(void)
{
	if (prepare_process() < 0)
		fail(STEP_DESCRIPTORS);
	else if (read_plan() < 0)
		fail(STEP_PLAN);
	else
		set_up_planned();
}

static void set_up_command(size_t length)
{
	errno = EINVAL;
	if (plan_decode(plan_bytes, length, &plan) != PLAN_OK) {
		fail(STEP_PLAN);
		return;
	}
	command_vary(&plan);
	if (prepare_process() < 0)
		fail(STEP_DESCRIPTORS);
	else
		set_up_planned();
}

static void set_up_berth(const unsigned char *bytes, size_t length)
{
	errno = EINVAL;
	if (plan_decode(bytes, length, &plan) != PLAN_OK)
		fail(STEP_PLAN);
	else if (berth_connect(&plan) < 0 || prepare_process() < 0)
		fail(STEP_DESCRIPTORS);
	else if (image_lock_take(plan.image_lock, &keeper.image_lock) < 0)
		fail(STEP_IMAGE_LOCK);
	else if (take_identity() < 0)
		fail(STEP_IDENTITY_LOCK);
	else if (plan.cpu_file != NULL &&
		 cgroup_create(&keeper.cgroup, &plan) < 0)
		fail(STEP_CGROUP);
	else if (berth_enter(&keeper.berth) < 0 || keeper_start(&keeper) < 0)
		fail(STEP_NAMESPACES);
}

static int exit_status(void)
{
	int status = keeper.end.wait_status;

	if (keeper.failed_step != STEP_NONE)
		return STATUS_FAILED;
	if (keeper.cause != CAUSE_NONE)
		return STATUS_LIMIT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Also of what another run has left of it in this process before a fork. */
static void reset_keeper(void)
{
	memset(&keeper, 0, offsetof(struct keeper, input));
	keeper.uid_lock = -1;
	keeper.image_lock = -1;
	keeper.signals = -1;
	keeper.link = -1;
	keeper.init_pidfd = -1;
	keeper.main_pidfd = -1;
	keeper.listener = -1;
	keeper.tmp = -1;
	keeper.place = (struct place){ .folder = -1, .tmp = -1, .run = -1 };
	keeper.park = (struct park){ .guest = -1, .job = -1, .run = -1 };
	keeper.berth = (struct berth){
		.zygote = -1, .desk = -1, .registry = -1, .link = -1,
		.guest_link = -1, .guest_park = -1,
	};
	zygote_open(&keeper.zygote);
	relay_reset(&keeper.input);
	relay_reset(&keeper.output);
	relay_reset(&keeper.errors);
	keeper.bridge.listener = -1;
}

static void begin(void)
{
	reset_keeper();
	keeper.began = system_now();
	keeper.plan = &plan;
	keeper.processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (keeper.processors < 1)
		keeper.processors = 1;
	status_key("cell");
	status_word(VERSION);
	status_end();
}

static int finish(void)
{
	const char *records;
	size_t length;

	keeper_watch(&keeper);
	keeper_clean_up(&keeper);
	outputs_send(&keeper);
	keeper_leave_place(&keeper);
	keeper_drain(&keeper);
	report_run(&keeper);
	status_key("done");
	status_end();
	records = status_records(&length);
	/* Nobody may be there to be told; the run is over either way. */
	if (system_write(STATUS_DESCRIPTOR, records, length) < 0)
		return STATUS_FAILED;
	/* Who waits for no process knows that this is all. */
	if (plan.berth_socket != NULL &&
	    shutdown(STATUS_DESCRIPTOR, SHUT_WR) < 0 && errno != ENOTCONN)
		return STATUS_FAILED;
	return exit_status();
}

static int run(void)
{
	begin();
	set_up();
	return finish();
}

/*
 * Nobody hands a plan over, nor reads status records: in the places of their
 * descriptors is what takes and gives nothing.
 */
static int take_descriptors(void)
{
	if (system_close_range(PLAN_DESCRIPTOR) < 0)
		return -1;
	for (int i = 0; i <= PARK_DESCRIPTOR; i++) {
		if (fcntl(i, F_GETFD) < 0 && open("/dev/null", O_RDWR) != i)
			return -1;
	}
	return 0;
}

/* As run(), by words and a plan that was prepared: command.h. */
static int run_command(const char *const *words)
{
	static struct command command;
	size_t length;
	int status;

	if (take_descriptors() < 0) {
		told_error("E_SANDBOX", "give the container its /dev",
			   "`/dev/null`: cannot be opened (%s)",
			   strerrorname_np(errno));
		return STATUS_FAILED;
	}
	status = command_prepare(&command, words, plan_bytes, &length);
	if (status >= 0)
		return status;
	begin();
	set_up_command(length);
	finish();
	return told_run(&keeper, &command);
}

int keeper_live_as_berth(const struct berth *berth, const unsigned char *bytes,
			size_t length)
{
	status_forget();
	begin();
	keeper.berth = *berth;
	set_up_berth(bytes, length);
	return finish();
}

int main(int count, char **words)
{
	static const char usage[] =
		"usage: cell run [WORDS] | probe | version\n";

	if (count == 2 && strcmp(words[1], "run") == 0)
		return run();
	if (count > 2 && strcmp(words[1], "run") == 0)
		return run_command((const char *const *)words + 2);
	if (count == 2 && strcmp(words[1], "probe") == 0)
		return probe_print();
	if (count == 2 && strcmp(words[1], "version") == 0)
		return system_write(STDOUT_FILENO, VERSION "\n", 2) < 0;
	return system_write(STDERR_FILENO, usage, sizeof(usage) - 1) < 0 ?
		STATUS_FAILED : STATUS_MISUSED;
}
