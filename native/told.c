#define _GNU_SOURCE
#include "command.h"
#include "judgement.h"
#include "keeper.h"
#include "status.h"
#include "system.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#define FOREIGN_NUMBERS 0x40000000	/* __X32_SYSCALL_BIT */
#else
#define OWN_ARCH AUDIT_ARCH_AARCH64
#define FOREIGN_NUMBERS INT32_MAX
#endif

static const char *const verdicts[] = {
	[VERDICT_OK] = "ok", [VERDICT_ERROR] = "error",
	[VERDICT_SIGNAL] = "signal", [VERDICT_TIMEOUT] = "timeout",
	[VERDICT_CPU] = "cpu_limit", [VERDICT_OOM] = "oom",
	[VERDICT_DISK] = "disk_limit", [VERDICT_OUTPUT] = "output_limit",
	[VERDICT_DENIED] = "denied", [VERDICT_CANCELLED] = "cancelled",
	[VERDICT_INTERNAL] = "internal",
};

static const enum prepared_text text_of_verdict[] = {
	[VERDICT_TIMEOUT] = TEXT_WALL, [VERDICT_CPU] = TEXT_CPU,
	[VERDICT_OOM] = TEXT_MEMORY, [VERDICT_DISK] = TEXT_DISK,
	[VERDICT_OUTPUT] = TEXT_OUTPUT, [VERDICT_DENIED] = TEXT_DENIED,
};

/* One at a time, then written; what has no room is left out. */
static char text[65536];
static size_t used;

__attribute__((format(printf, 1, 0)))
static void say_words(const char *format, va_list arguments)
{
	size_t left = sizeof(text) - used;
	int length = vsnprintf(text + used, left, format, arguments);

	if (length > 0)
		used += (size_t)length < left ? (size_t)length : left - 1;
}

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_words(format, arguments);
	va_end(arguments);
}

/* How many bytes a letter of UTF-8 has that begins so; 0: none does. */
static size_t letter_length(unsigned char byte)
{
	if (byte < 0x80)
		return 1;
	if (byte < 0xc2 || byte > 0xf4)
		return 0;
	return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/*
 * The length of the letter at `at` if a terminal shows it; 0: it would obey
 * it, or it is none. Controls are C0, DEL, and C1 (ISO 6429), which are C2 80
 * to C2 9F in UTF-8, and bare bytes on a terminal that does not speak it.
 */
static size_t shown_length(const char *at, size_t left)
{
	const unsigned char *bytes = (const unsigned char *)at;
	size_t length = letter_length(bytes[0]);

	if ((bytes[0] < ' ' && bytes[0] != '\n') || bytes[0] == 0x7f ||
	    length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return bytes[0] == 0xc2 && bytes[1] < 0xa0 ? 0 : length;
}

/* Names come from command lines and may be anything, also for a terminal. */
static int send(int file)
{
	int answer;

	for (size_t i = 0; i < used;) {
		size_t length = shown_length(text + i, used - i);

		if (length == 0)
			text[i] = '?';
		i += length == 0 ? 1 : length;
	}
	answer = system_write(file, text, used);
	used = 0;
	return answer;
}

void told_error(const char *code, const char *hint, const char *format, ...)
{
	va_list arguments;

	say("error[%s] ", code);
	va_start(arguments, format);
	say_words(format, arguments);
	va_end(arguments);
	say("\n  hint: %s\n", hint);
	/* Nobody may be there to be told; the exit status says it, too. */
	(void)send(STDERR_FILENO);
}

static bool is_own(const struct denial *row)
{
	return row->arch == OWN_ARCH && row->nr >= 0 &&
	       row->nr < FOREIGN_NUMBERS;
}

/* NULL: a call that had no name when the image was made, or a foreign one. */
static const char *call_name(const struct prepared *prepared,
			     const struct denial *row)
{
	const char *name = !is_own(row) ? NULL :
		prepared_string(&prepared->sections[PREPARED_CALLS],
				(size_t)row->nr);

	return name == NULL || name[0] == '\0' ? NULL : name;
}

static void say_call(const struct prepared *prepared, const struct denial *row)
{
	const char *name = call_name(prepared, row);
	const char *arch = prepared_string(&prepared->sections[PREPARED_ABOUT],
					   1);

	if (name != NULL)
		say("%s (%s %d)", name, arch, row->nr);
	else
		say("syscall_%u (%s %u)", (uint32_t)row->nr,
		    is_own(row) ? arch : "foreign", (uint32_t)row->nr);
}

static void say_denials(const struct keeper *keeper,
			const struct prepared *prepared)
{
	const struct denials *denials = &keeper->denials;
	bool is_foreign = false;

	if (denials->count == 0)
		return;
	say("cell: denied system calls: ");
	for (size_t i = 0; i < denials->count; i++) {
		say("%s", i == 0 ? "" : ", ");
		say_call(prepared, &denials->rows[i]);
		say(" × %llu", (unsigned long long)denials->rows[i].count);
		is_foreign |= !is_own(&denials->rows[i]);
	}
	say(is_foreign ? "; nothing allows calls by the rules of another "
			 "architecture\n" :
			 "; `sandbox.syscalls.allow` in the recipe can add "
			 "them\n");
}

static const char *hint_for(const struct keeper *keeper)
{
	if (keeper->failed_step == STEP_IDENTITY_LOCK &&
	    (keeper->failed_error == EAGAIN || keeper->failed_error == EACCES))
		return "there is one run at a time in a container like this: "
		       "start another container";
	if (keeper->failed_error == EROFS)
		return "in tiers C and D the container has to be writable: "
		       "leave --read-only out";
	return "cell probe says what this container may do";
}

static void say_failure(const struct keeper *keeper)
{
	const char *name = strerrorname_np(keeper->failed_error);

	say("error[E_SANDBOX] sandbox: the step `%s` failed (%s); nothing was "
	    "run\n  hint: %s\n",
	    keeper->failed_step == STEP_NONE ? "init-died" :
	    step_name(keeper->failed_step), name == NULL ? "0" : name,
	    hint_for(keeper));
}

static bool say_loss(const char *stream, int error)
{
	if (error != 0)
		say("cell: its output is lost: %s cannot be written (%s)\n",
		    stream, strerrorname_np(error));
	return error != 0;
}

/* Signals for real-time programs have no names. */
static void say_signal(int number)
{
	const char *name = sigabbrev_np(number);

	if (name == NULL)
		say("cell: the program was ended by SIG%d\n", number);
	else
		say("cell: the program was ended by SIG%s\n", name);
}

static void say_summary(const struct keeper *keeper,
			const struct prepared *prepared, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_OK:
		return;
	case VERDICT_INTERNAL:
		say_failure(keeper);
		return;
	case VERDICT_ERROR:
		break;
	case VERDICT_SIGNAL:
		say_signal(WTERMSIG(keeper->end.wait_status));
		break;
	case VERDICT_CANCELLED:
		say("cell: the run was cancelled\n");
		break;
	default:
		say("cell: %s\n",
		    prepared_string(&prepared->sections[PREPARED_TEXTS],
				    text_of_verdict[verdict]));
	}
	say_denials(keeper, prepared);
}

/* The launcher's records, with denied calls by their names. */
static void say_records(void)
{
	size_t length;
	const char *records = status_records(&length), *end = records + length;

	for (const char *line = records; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		if (next == NULL)
			return;
		if (strncmp(line, "denied ", 7) != 0 &&
		    strncmp(line, "cell ", 5) != 0)
			say("%.*s\n", (int)(next - line), line);
		line = next + 1;
	}
}

static int write_report(const struct keeper *keeper,
			const struct prepared *prepared, enum verdict verdict,
			int file)
{
	say("status %s\ntier %c\n", verdicts[verdict],
	    'A' + (int)keeper->plan->tier - TIER_A);
	if (keeper->has_ended && WIFEXITED(keeper->end.wait_status))
		say("exit %d\n", WEXITSTATUS(keeper->end.wait_status));
	for (size_t i = 0; i < keeper->denials.count; i++) {
		say("denied %llu ",
		    (unsigned long long)keeper->denials.rows[i].count);
		say_call(prepared, &keeper->denials.rows[i]);
		say("\n");
	}
	say_records();
	return send(file);
}

int told_run(const struct keeper *keeper, const struct command *command)
{
	const struct prepared *prepared = &command->prepared;
	enum verdict verdict = judgement_of(keeper);
	int status = judgement_status(keeper, verdict);
	bool is_lost;

	say_summary(keeper, prepared, verdict);
	is_lost = say_loss("stdout", keeper->output.lost);
	is_lost |= say_loss("stderr", keeper->errors.lost);
	/* As with told_error(). */
	(void)send(STDERR_FILENO);
	if (command->report_file >= 0 &&
	    write_report(keeper, prepared, verdict, command->report_file) < 0)
		is_lost = true;
	return status == 0 && is_lost ? 1 : status;
}
