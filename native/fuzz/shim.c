/*
 * Any text as ALLOWED_SYSCALLS.  The filter always fits, jumps inside itself
 * only, begins with the check of the architecture, and lets through, of what
 * it has in front of our own filter, exactly the numbers that are listed.
 */
#define _GNU_SOURCE
#include "../shim-program.c"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PROCESS 4711
#define FIRST_NUMBER 4

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

/* The same list, read in another way. */
static void list_numbers(bool listed[SHIM_NUMBERS], const char *text)
{
	char *copy = strdup(text), *rest = copy, *word;

	must(copy != NULL);
	memset(listed, 0, SHIM_NUMBERS * sizeof(*listed));
	while ((word = strsep(&rest, ",")) != NULL) {
		size_t digits;
		unsigned long number;

		word += strspn(word, " \t");
		digits = strspn(word, "0123456789");
		number = strtoul(word, NULL, 10);
		if (digits > 0 && number < SHIM_NUMBERS &&
		    word[digits + strspn(word + digits, " \t")] == '\0')
			listed[number] = true;
	}
	free(copy);
}

static void check_jumps(const struct shim_program *program)
{
	for (size_t i = 0; i < program->length; i++) {
		const struct sock_filter *row = &program->rows[i];

		if (BPF_CLASS(row->code) != BPF_JMP)
			continue;
		must(i + 1 + row->jt < program->length);
		must(i + 1 + row->jf < program->length);
		must(row->code != (BPF_JMP | BPF_JA) ||
		     row->k < program->length - i - 1);
	}
	must(BPF_CLASS(program->rows[program->length - 1].code) == BPF_RET);
}

static void check_numbers(const struct shim_program *program,
			  const char *text, size_t own)
{
	static bool listed[SHIM_NUMBERS];
	size_t at = FIRST_NUMBER;

	list_numbers(listed, text);
	must(program->rows[1].k == ARCHITECTURE);
	for (unsigned int number = 0; number < SHIM_NUMBERS; number++) {
		if (!listed[number])
			continue;
		must(program->rows[at].k == number);
		must(program->rows[at + 1].k == SECCOMP_RET_ALLOW);
		at += 2;
	}
	must(at + own == program->length);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	static struct shim_program program;
	char *text = malloc(length + 1);

	must(text != NULL);
	memcpy(text, bytes, length);
	text[length] = '\0';
	shim_program_write(&program, text, false, PROCESS);
	check_jumps(&program);
	check_numbers(&program, text, ROWS(filter_offline));
	shim_program_write(&program, text, true, PROCESS);
	check_jumps(&program);
	check_numbers(&program, text, ROWS(filter_online));
	free(text);
	return 0;
}
