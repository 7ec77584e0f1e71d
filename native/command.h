#ifndef COMMAND_H
#define COMMAND_H

#include "prepared.h"

/* Where the images of images/ have their prepared plans, one file a tier. */
#define COMMAND_PLANS "/.rootcellar/plans"

#define STATUS_USAGE 2
#define STATUS_REFUSED 1
#define STATUS_FAILED 125

/* `cell run` with words of its own: who planned is not there any more. */
struct command {
	const char *plans;
	const char *report;	/* NULL: none; `-`: stderr */
	int report_file;	/* -1: none */
	struct prepared prepared;
	struct prepared_program program;
};

/*
 * Reads words, program and the best prepared plan that this host has all of,
 * and writes the plan for it into `room`.  Nothing is set up.  -1: go on with
 * those `length` bytes; else it said why not, and this is the exit status.
 */
int command_prepare(struct command *command, const char *const *words,
		    unsigned char *room, size_t *length);

/*
 * command-words.c: what the words ask for; `text` and the rest point into
 * them.  -1: go on; else it said why not, or helped, and the exit status.
 */
int command_take_words(struct command *command, const char *const *words);

/*
 * What differs from one container to the next: the kernel counts processes of
 * a user id on the whole machine, so each takes ids of its own.
 */
void command_vary(struct plan *plan);

struct keeper;

/* told.c: says how the run was, and gives the exit status. */
int told_run(const struct keeper *keeper, const struct command *command);
/* told.c: one error, as src/cli/error-text.ts has it. */
void told_error(const char *code, const char *hint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
