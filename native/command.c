#define _GNU_SOURCE
#include "command.h"

#include "probe.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a container's user ids begin is drawn among as many. */
#define IDS 8192u

static unsigned char prepared_bytes[PREPARED_LARGEST + 1];
static unsigned char program_bytes[PREPARED_PROGRAM_LARGEST + 1];
static char run_name[PREPARED_RUN_LENGTH + 1];

/* All of a regular file, but no more than fits.  Its length; -1 and errno. */
static ssize_t read_all(int file, unsigned char *room, size_t size)
{
	size_t length = 0;
	ssize_t more;

	while (length < size &&
	       (more = read(file, room + length, size - length)) != 0) {
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		length += (size_t)more;
	}
	if (length < size)
		return (ssize_t)length;
	errno = EFBIG;
	return -1;
}

/* -1: not there, or of a kind that is no file. */
static int open_regular(int folder, const char *path, int flags,
			struct stat *status)
{
	int file = openat(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY |
			  O_CLOEXEC | flags);

	if (file < 0 || (fstat(file, status) == 0 && S_ISREG(status->st_mode)))
		return file;
	system_close(file);
	errno = S_ISDIR(status->st_mode) ? EISDIR : EINVAL;
	return -1;
}

static int read_program(struct prepared_program *program)
{
	struct stat status;
	ssize_t length = -1;
	const char *path = program->text, *name;
	int file;

	if (program->form != PREPARED_FILE && program->form != PREPARED_SCRIPT)
		return -1;
	file = open_regular(AT_FDCWD, path, 0, &status);
	if (file >= 0)
		length = read_all(file, program_bytes, sizeof(program_bytes));
	if (length < 0) {
		told_error("E_PROGRAM_NOT_FOUND",
			   "mount it into the container: -v $PWD:/work IMAGE "
			   "/work/FILE, or pipe it in: -i IMAGE -",
			   "`%s`: cannot be read (%s)", path,
			   strerrorname_np(errno));
		return STATUS_REFUSED;
	}
	system_close(file);
	name = strrchr(path, '/');
	program->text = name == NULL ? path : name + 1;
	program->content = program_bytes;
	program->content_length = (size_t)length;
	return -1;
}

static int open_report(struct command *command)
{
	command->report_file = -1;
	if (command->report == NULL)
		return -1;
	command->report_file = strcmp(command->report, "-") == 0 ?
		fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) :
		open(command->report, O_WRONLY | O_CREAT | O_TRUNC |
		     O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0644);
	if (command->report_file >= 0)
		return -1;
	told_error("E_USAGE", "choose another file",
		   "--report: `%s` cannot be written (%s)", command->report,
		   strerrorname_np(errno));
	return STATUS_USAGE;
}

/*
 * A plan says what a privileged process does: whoever may write it has to be
 * who could do all that.  1: decoded; 0: there is none; -1: none to be used.
 */
static int read_prepared(int folder, const char *tier,
			 struct prepared *prepared)
{
	struct stat status;
	ssize_t length;
	int file = open_regular(folder, tier, O_NOFOLLOW, &status);

	if (file < 0)
		return errno == ENOENT ? 0 : -1;
	if (status.st_uid != 0 || (status.st_mode & 022) != 0) {
		system_close(file);
		errno = EPERM;
		return -1;
	}
	length = read_all(file, prepared_bytes, sizeof(prepared_bytes));
	system_close(file);
	errno = EINVAL;
	return length >= 0 &&
	       prepared_decode(prepared_bytes, (size_t)length, prepared) ?
		1 : -1;
}

/* The first need that this host has not; NULL: it has all. */
static const char *lacking(const struct prepared *prepared)
{
	const struct prepared_strings *needs =
		&prepared->sections[PREPARED_NEEDS];
	const char *name;

	for (size_t i = 0; (name = prepared_string(needs, i)) != NULL; i++) {
		if (!probe_has(name))
			return name;
	}
	return NULL;
}

static int refuse_plan(const char *folder, const char *tier)
{
	told_error("E_SANDBOX",
		   "build the container image again; plans belong to root and "
		   "nobody else may write them",
		   "`%s/%s`: is no prepared plan (%s); nothing was run", folder,
		   tier, strerrorname_np(errno));
	return STATUS_FAILED;
}

static int choose_plan(struct command *command)
{
	static const char *const tiers[] = { "A", "B", "C", "D" };
	const char *folder = command->plans, *last = NULL, *lack = NULL;
	int plans = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (plans < 0)
		return refuse_plan(folder, "");
	for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
		int answer = read_prepared(plans, tiers[i], &command->prepared);

		if (answer < 0)
			return refuse_plan(folder, tiers[i]);
		if (answer == 0)
			continue;
		last = tiers[i];
		lack = lacking(&command->prepared);
		if (lack == NULL) {
			system_close(plans);
			return -1;
		}
	}
	if (last == NULL)
		return refuse_plan(folder, "C");
	told_error("E_SANDBOX",
		   "start the container with more (README, \"In a Docker "
		   "build\"), or write `minimum_tier` into the recipe",
		   "a cell: none of tier %s or better can be made here, which "
		   "lacks %s; nothing was run", last, lack);
	return STATUS_FAILED;
}

static bool draw_name(void)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char drawn[PREPARED_RUN_LENGTH];

	if (getrandom(drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn))
		return false;
	for (size_t i = 0; i < sizeof(drawn); i++)
		run_name[i] = digits[drawn[i] % 16];
	return true;
}

static int compose(struct command *command, unsigned char *room,
		   size_t *length)
{
	const struct prepared *prepared = &command->prepared;

	command->program.run = run_name;
	if (prepared->sections[command->program.form].length == 0) {
		told_error("E_PROGRAM_NOT_FOUND",
			   "add an interpreter for it to the recipe",
			   "image `%s`: has nothing to run this with",
			   prepared_string(&prepared->sections[PREPARED_ABOUT],
					   0));
		return STATUS_REFUSED;
	}
	*length = !draw_name() ? 0 :
		prepared_compose(prepared, &command->program, room,
				 PLAN_LARGEST);
	return *length > 0 ? -1 : refuse_plan(command->plans, "");
}

int command_prepare(struct command *command, const char *const *words,
		    unsigned char *room, size_t *length)
{
	int status;

	*command = (struct command){
		.plans = COMMAND_PLANS,
		.program = { .form = PREPARED_FILE },
		.report_file = -1,
	};
	status = command_take_words(command, words);
	if (status < 0)
		status = read_program(&command->program);
	if (status < 0)
		status = open_report(command);
	if (status < 0)
		status = choose_plan(command);
	return status < 0 ? compose(command, room, length) : status;
}

/* Tier C: whose files a run has left that was killed with its container. */
static bool is_known(const struct plan *plan, uint32_t *uid)
{
	char path[PLAN_PATH_LONGEST + 16];
	struct stat status;

	if (plan->tier != TIER_C ||
	    snprintf(path, sizeof(path), "%s/0/tmp", plan->place) < 0 ||
	    lstat(path, &status) < 0)
		return false;
	*uid = status.st_uid;
	return *uid >= plan->uid_first && *uid - plan->uid_first < IDS;
}

void command_vary(struct plan *plan)
{
	uint32_t drawn = 0, uid;

	if (is_known(plan, &uid)) {
		plan->uid_first = uid;
		return;
	}
	/* Without luck they are those of another container: no harm is done. */
	if (getrandom(&drawn, sizeof(drawn), GRND_NONBLOCK) < 0)
		drawn = 0;
	plan->uid_first += drawn % IDS;
}
