#define _GNU_SOURCE
#include "command.h"

#include "system.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of one word with its NUL, and of all: src/run/launch-plan.ts. */
#define WORD_LONGEST 131072u
#define WORDS_LONGEST (1u << 20)
#define WORDS_MOST 1000u

static const char usage[] =
	"usage: cell run [--report FILE] [--plans FOLDER] -c CODE | FILE | - "
	"[ARGUMENTS]\n"
	"\n"
	"  -c CODE         run this text\n"
	"  FILE            run this file of the container\n"
	"  -               run what comes on stdin\n"
	"  --report FILE   write how it was to FILE; -: to stderr\n"
	"  --plans FOLDER  prepared plans, in place of " COMMAND_PLANS "\n"
	"\n"
	"Example:\n"
	"  docker run --rm IMAGE -c 'print(6 * 7)'\n";

static int refuse_words(const char *what, const char *word)
{
	told_error("E_USAGE", "cell run --help", "%s%s", what, word);
	return STATUS_USAGE;
}

static bool is_script(const char *name)
{
	size_t length = strlen(name);

	return (length > 3 && strcmp(name + length - 3, ".js") == 0) ||
	       (length > 4 && (strcmp(name + length - 4, ".mjs") == 0 ||
			       strcmp(name + length - 4, ".cjs") == 0));
}

/* The rest belongs to the program, but for the mark that says so. */
static void take_arguments(struct command *command, const char *const *words)
{
	struct prepared_program *program = &command->program;

	if (words[0] != NULL && strcmp(words[0], "--") == 0)
		words++;
	program->arguments = words;
	program->argument_count = 0;
	while (words[program->argument_count] != NULL)
		program->argument_count++;
}

/* -1: there is a program; else the exit status. */
static int take_program(struct command *command, const char *const *words)
{
	struct prepared_program *program = &command->program;

	if (program->form == PREPARED_CODE) {
		take_arguments(command, words);
		return -1;
	}
	if (words[0] != NULL && strcmp(words[0], "--") == 0)
		words++;
	if (words[0] == NULL || words[0][0] == '\0')
		return refuse_words("run: there is no program to run", "");
	program->text = words[0];
	program->form = is_script(words[0]) ? PREPARED_SCRIPT : PREPARED_FILE;
	if (strcmp(words[0], "-") == 0) {
		program->text = NULL;
		program->form = PREPARED_STDIN;
	}
	take_arguments(command, words + 1);
	return -1;
}

static int take_flags(struct command *command, const char *const *words)
{
	while (words[0] != NULL && words[0][0] == '-' && words[0][1] != '\0' &&
	       strcmp(words[0], "--") != 0) {
		const char *flag = *words++;

		if (strcmp(flag, "-h") == 0 || strcmp(flag, "--help") == 0)
			return system_write(STDOUT_FILENO, usage,
					    sizeof(usage) - 1) < 0;
		if (strcmp(flag, "-c") != 0 && strcmp(flag, "--report") != 0 &&
		    strcmp(flag, "--plans") != 0)
			return refuse_words("run: there is no flag ", flag);
		if (*words == NULL)
			return refuse_words("run: nothing follows ", flag);
		if (flag[1] == 'c') {
			command->program.form = PREPARED_CODE;
			command->program.text = *words++;
		} else if (flag[2] == 'r') {
			command->report = *words++;
		} else {
			command->plans = *words++;
		}
	}
	return take_program(command, words);
}

/* What no process could be given is known before there is one. */
static int check_lengths(const struct prepared_program *program)
{
	size_t all = program->text == NULL ? 0 : strlen(program->text) + 1;
	bool is_good = all <= WORD_LONGEST &&
		       program->argument_count <= WORDS_MOST;

	for (size_t i = 0; is_good && i < program->argument_count; i++) {
		size_t length = strlen(program->arguments[i]) + 1;

		all += length;
		is_good = length <= WORD_LONGEST && all <= WORDS_LONGEST;
	}
	if (is_good)
		return -1;
	told_error("E_USAGE", "pass large input through stdin",
		   "arguments: too long for one process");
	return STATUS_USAGE;
}

int command_take_words(struct command *command, const char *const *words)
{
	int status = take_flags(command, words);

	return status < 0 ? check_lengths(&command->program) : status;
}
