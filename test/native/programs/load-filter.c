/*
 * Loads a seccomp filter as rootcellar compiled it, and tries system calls under it.
 *
 *	load-filter try FILTER	stdin: lines "NUMBER A0 A1 A2 A3 A4 A5" in hex;
 *				stdout: for each "ok", "errno N" or "signal N"
 *	load-filter exec FILTER PROGRAM ARGS...
 *	load-filter time COUNT FILTER...
 *				stdout: for each filter the median ns of a load
 *
 * FILTER is a file of struct sock_filter[], or "none".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_INSNS = 4096, MAX_FILTERS = 16, MAX_COUNT = 100000 };

struct filter {
	struct sock_filter insns[MAX_INSNS];
	unsigned short len;	/* 0: no filter */
};

/* Shared with the child, which may not be able to tell us otherwise. */
struct outcome {
	int returned;
	int error;
	long nanoseconds;
};

static struct filter filters[MAX_FILTERS];
static long samples[MAX_FILTERS][MAX_COUNT];

static _Noreturn void die(const char *step)
{
	perror(step);
	exit(125);
}

static void read_filter(const char *path, struct filter *filter)
{
	ssize_t size;
	int fd;

	filter->len = 0;
	if (strcmp(path, "none") == 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	size = read(fd, filter->insns, sizeof(filter->insns));
	if (size <= 0 || (size_t)size % sizeof(struct sock_filter) != 0)
		die("filter");
	filter->len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
	close(fd);
}

static int load(struct filter *filter)
{
	struct sock_fprog program = { filter->len, filter->insns };

	if (filter->len == 0)
		return 0;
	/* Without no_new_privs the filter needs CAP_SYS_ADMIN: seccomp(2). */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static _Noreturn void child(struct filter *filter, const unsigned long *v,
			    volatile struct outcome *outcome)
{
	long result;

	/* Some calls wait for ever. */
	alarm(2);
	if (load(filter) != 0)
		_exit(125);
	result = syscall((long)v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
	outcome->error = result == -1 ? errno : 0;
	outcome->returned = 1;
	/* Ends the process without a system call, which might be denied. */
	__builtin_trap();
}

static void try_call(struct filter *filter, const unsigned long *values,
		     volatile struct outcome *outcome)
{
	pid_t pid;
	int status;

	outcome->returned = 0;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		child(filter, values, outcome);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 125)
		die("load");
	if (!outcome->returned && WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else if (outcome->returned && outcome->error != 0)
		printf("errno %d\n", outcome->error);
	else
		printf("ok\n");
}

static void try_calls(struct filter *filter, volatile struct outcome *outcome)
{
	unsigned long v[7];

	while (scanf("%lx %lx %lx %lx %lx %lx %lx", &v[0], &v[1], &v[2], &v[3],
		     &v[4], &v[5], &v[6]) == 7)
		try_call(filter, v, outcome);
}

static long elapsed(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * 1000000000L +
	       (to->tv_nsec - from->tv_nsec);
}

static long time_load(struct filter *filter, volatile struct outcome *outcome)
{
	struct timespec before, after;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		clock_gettime(CLOCK_MONOTONIC, &before);
		if (load(filter) != 0)
			_exit(125);
		clock_gettime(CLOCK_MONOTONIC, &after);
		outcome->nanoseconds = elapsed(&before, &after);
		__builtin_trap();
	}
	waitpid(pid, NULL, 0);
	return outcome->nanoseconds;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a;
	long y = *(const long *)b;

	return (x > y) - (x < y);
}

static void time_loads(int count, int filter_count,
		       volatile struct outcome *outcome)
{
	/* In turns, so that noise of the machine hits all alike. */
	for (int round = 0; round < count; round++)
		for (int i = 0; i < filter_count; i++)
			samples[i][round] = time_load(&filters[i], outcome);
	for (int i = 0; i < filter_count; i++) {
		qsort(samples[i], (size_t)count, sizeof(long), compare);
		printf("%ld\n", samples[i][count / 2]);
	}
}

int main(int argc, char **argv)
{
	volatile struct outcome *outcome =
		mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (outcome == MAP_FAILED)
		die("mmap");
	if (argc == 3 && strcmp(argv[1], "try") == 0) {
		read_filter(argv[2], &filters[0]);
		try_calls(&filters[0], outcome);
		return 0;
	}
	if (argc > 3 && strcmp(argv[1], "exec") == 0) {
		read_filter(argv[2], &filters[0]);
		if (load(&filters[0]) != 0)
			die("load");
		execvp(argv[3], argv + 3);
		die(argv[3]);
	}
	if (argc > 3 && argc - 3 <= MAX_FILTERS && strcmp(argv[1], "time") == 0) {
		int count = atoi(argv[2]);

		if (count < 1 || count > MAX_COUNT)
			die("count");
		for (int i = 3; i < argc; i++)
			read_filter(argv[i], &filters[i - 3]);
		time_loads(count, argc - 3, outcome);
		return 0;
	}
	fprintf(stderr, "usage: load-filter try|exec|time …\n");
	return 2;
}
