/*
 * Compiles a policy with libseccomp, as an oracle for our own compiler.
 *
 *	seccomp-oracle names	stdin: names; stdout: those that libseccomp has
 *	seccomp-oracle export	stdin: the policy; stdout: struct sock_filter[]
 *
 * The policy, one statement a line:
 *	arch x86_64|aarch64
 *	default ACTION
 *	rule ACTION NAME [ARGUMENT MASK VALUE]...	(numbers in hex)
 * ACTION is allow, notify, kill or an errno number.
 */
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1024, MAX_CONDITIONS = 6 };

static scmp_filter_ctx context;
static uint32_t architecture;

static _Noreturn void die(const char *step, int error)
{
	fprintf(stderr, "seccomp-oracle: %s: %s\n", step, strerror(-error));
	exit(125);
}

static uint32_t action_of(const char *word)
{
	if (strcmp(word, "allow") == 0)
		return SCMP_ACT_ALLOW;
	if (strcmp(word, "notify") == 0)
		return SCMP_ACT_NOTIFY;
	if (strcmp(word, "kill") == 0)
		return SCMP_ACT_KILL_PROCESS;
	return SCMP_ACT_ERRNO((unsigned int)strtoul(word, NULL, 10));
}

static void begin(const char *action)
{
	int error;

	context = seccomp_init(action_of(action));
	if (context == NULL)
		die("seccomp_init", -1);
	error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH,
				 SCMP_ACT_KILL_PROCESS);
	if (error != 0)
		die("bad architecture", error);
	if (architecture == seccomp_arch_native())
		return;
	error = seccomp_arch_add(context, architecture);
	if (error == 0)
		error = seccomp_arch_remove(context, seccomp_arch_native());
	if (error != 0)
		die("architecture", error);
}

static void add_rule(char *rest)
{
	struct scmp_arg_cmp conditions[MAX_CONDITIONS];
	unsigned int count = 0;
	const char *action = strtok(rest, " ");
	const char *name = strtok(NULL, " ");
	const char *argument;
	int error;

	while ((argument = strtok(NULL, " ")) != NULL && count < MAX_CONDITIONS) {
		const char *mask = strtok(NULL, " ");
		const char *value = strtok(NULL, " ");

		conditions[count++] = SCMP_CMP64(
			(unsigned int)strtoul(argument, NULL, 16),
			SCMP_CMP_MASKED_EQ, strtoull(mask, NULL, 16),
			strtoull(value, NULL, 16));
	}
	error = seccomp_rule_add_exact_array(context, action_of(action),
					     seccomp_syscall_resolve_name(name),
					     count, conditions);
	if (error != 0)
		die(name, error);
}

static void read_policy(void)
{
	char line[LINE];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "arch ", 5) == 0)
			architecture = seccomp_arch_resolve_name(line + 5);
		else if (strncmp(line, "default ", 8) == 0)
			begin(line + 8);
		else if (strncmp(line, "rule ", 5) == 0)
			add_rule(line + 5);
		else
			die(line, -1);
	}
}

static void print_known_names(void)
{
	char line[LINE];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (seccomp_syscall_resolve_name(line) != __NR_SCMP_ERROR)
			puts(line);
	}
}

int main(int argc, char **argv)
{
	int error;

	if (argc == 2 && strcmp(argv[1], "names") == 0) {
		print_known_names();
		return 0;
	}
	if (argc != 2 || strcmp(argv[1], "export") != 0) {
		fprintf(stderr, "usage: seccomp-oracle names|export\n");
		return 2;
	}
	/* Level 6 knows notify; this machine's kernel does not matter. */
	seccomp_api_set(6);
	read_policy();
	error = seccomp_export_bpf(context, STDOUT_FILENO);
	if (error != 0)
		die("seccomp_export_bpf", error);
	return 0;
}
