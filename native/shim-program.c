#include "shim-program.h"

#include "shim-filters.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define ROWS(filter) (sizeof(filter) / sizeof((filter)[0]))
/* The check of the architecture, two rows a number, and our own filter. */
#define LONGEST(filter) (4 + 2 * SHIM_NUMBERS + ROWS(filter))

_Static_assert(LONGEST(filter_offline) <= BPF_MAXINSNS, "fits offline");
_Static_assert(LONGEST(filter_online) <= BPF_MAXINSNS, "fits online");

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The number at *text, or -1 when there is something else; moves *text to the
 * comma or the end behind it.
 */
static long read_number(const char **text)
{
	const char *at = *text;
	long number = 0;
	int digits = 0;

	while (is_blank(*at))
		at++;
	for (; *at >= '0' && *at <= '9'; at++, digits++) {
		if (number < SHIM_NUMBERS)
			number = number * 10 + (*at - '0');
	}
	while (is_blank(*at))
		at++;
	if (digits == 0 || (*at != ',' && *at != '\0'))
		number = -1;
	while (*at != ',' && *at != '\0')
		at++;
	*text = at;
	return number < SHIM_NUMBERS ? number : -1;
}

static void read_numbers(bool numbers[SHIM_NUMBERS], const char *text)
{
	for (int i = 0; i < SHIM_NUMBERS; i++)
		numbers[i] = false;
	while (text != NULL && *text != '\0') {
		long number = read_number(&text);

		if (number >= 0)
			numbers[number] = true;
		if (*text == ',')
			text++;
	}
}

/* Room is left by the assertions above. */
static void add(struct shim_program *program, struct sock_filter row)
{
	program->rows[program->length++] = row;
}

/*
 * The architecture is asked again here: the same number is another call by the
 * rules of another one, and this part decides before our own filter does.
 */
static void add_numbers(struct shim_program *program,
			const bool numbers[SHIM_NUMBERS])
{
	const unsigned int arch = offsetof(struct seccomp_data, arch);
	const unsigned int nr = offsetof(struct seccomp_data, nr);

	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  arch));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						  ARCHITECTURE, 1, 0));
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						  SECCOMP_RET_KILL_PROCESS));
	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  nr));
	for (unsigned int i = 0; i < SHIM_NUMBERS; i++) {
		if (!numbers[i])
			continue;
		add(program, (struct sock_filter)
		    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1));
		add(program, (struct sock_filter)
		    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	}
}

static void add_filter(struct shim_program *program,
		       const struct sock_filter *rows, size_t count,
		       uint32_t process)
{
	for (size_t i = 0; i < count; i++) {
		struct sock_filter row = rows[i];

		if (row.code == (BPF_JMP | BPF_JEQ | BPF_K) &&
		    row.k == SHIM_PROCESS)
			row.k = process;
		add(program, row);
	}
}

void shim_program_write(struct shim_program *program, const char *allowed,
			bool network, uint32_t process)
{
	bool numbers[SHIM_NUMBERS];

	program->length = 0;
	read_numbers(numbers, allowed);
	add_numbers(program, numbers);
	if (network)
		add_filter(program, filter_online, ROWS(filter_online),
			   process);
	else
		add_filter(program, filter_offline, ROWS(filter_offline),
			   process);
}
