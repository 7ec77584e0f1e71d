#define _GNU_SOURCE
#include "proc.h"

#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATH_ROOM 64
#define NS_PER_SECOND UINT64_C(1000000000)

/* Counted from 1, as in proc_pid_stat(5). */
enum field {
	FIELD_STATE = 3,
	FIELD_UTIME = 14,
	FIELD_CSTIME = 17,
	FIELD_THREADS = 20,
};

int proc_open(pid_t pid, const char *name, int flags)
{
	char path[PATH_ROOM];

	if (snprintf(path, sizeof(path), "/proc/%d/%s", pid, name) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_RDONLY | O_CLOEXEC);
}

/* Numbers in a text that may be cut anywhere between two reads. */
struct numbers {
	int64_t value;
	bool is_open;
	proc_number *tell;
	void *context;
};

static void take(struct numbers *numbers, char c)
{
	if (c >= '0' && c <= '9' && numbers->value < INT32_MAX / 10) {
		numbers->value = numbers->value * 10 + (c - '0');
		numbers->is_open = true;
		return;
	}
	if (numbers->is_open)
		numbers->tell(numbers->value, numbers->context);
	numbers->value = 0;
	numbers->is_open = false;
}

int proc_children(pid_t pid, pid_t thread, proc_number *tell, void *context)
{
	struct numbers numbers = { .tell = tell, .context = context };
	char name[PATH_ROOM], text[4096];
	ssize_t length;
	int file;

	if (snprintf(name, sizeof(name), "task/%d/children", thread) >=
	    (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	file = proc_open(pid, name, 0);
	if (file < 0)
		return -1;
	while ((length = read(file, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < length; i++)
			take(&numbers, text[i]);
	}
	take(&numbers, '\n');
	system_close(file);
	return length < 0 ? -1 : 0;
}

/* The entries of a folder that are numbers. */
static int numbers_in(int folder, proc_number *tell, void *context)
{
	_Alignas(struct dirent64) char bytes[4096];
	long length;

	while ((length = syscall(SYS_getdents64, folder, bytes,
				 sizeof(bytes))) > 0) {
		for (long at = 0; at < length;) {
			const struct dirent64 *entry =
				(const void *)(bytes + at);

			if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
				tell(strtol(entry->d_name, NULL, 10), context);
			at += entry->d_reclen;
		}
	}
	system_close(folder);
	return length < 0 ? -1 : 0;
}

int proc_threads(pid_t pid, proc_number *tell, void *context)
{
	int folder = proc_open(pid, "task", O_DIRECTORY);

	return folder < 0 ? -1 : numbers_in(folder, tell, context);
}

int proc_processes(proc_number *tell, void *context)
{
	int folder = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return folder < 0 ? -1 : numbers_in(folder, tell, context);
}

/* The text of a small file, with a NUL behind it; -1 and errno. */
ssize_t proc_read(pid_t pid, const char *name, char *text, size_t room)
{
	int file = proc_open(pid, name, 0);
	ssize_t length;

	if (file < 0)
		return -1;
	length = read(file, text, room - 1);
	system_close(file);
	if (length >= 0)
		text[length] = '\0';
	return length;
}

/* Where a field of stat begins, behind the name that may hold anything. */
static const char *field_of(const char *text, enum field field)
{
	const char *at = strrchr(text, ')');

	for (int i = FIELD_STATE - 1; at != NULL && i < (int)field; i++) {
		at = strchr(at, ' ');
		at = at == NULL ? NULL : at + 1;
	}
	return at;
}

static uint64_t ticks(const char *stat)
{
	uint64_t sum = 0;

	for (enum field i = FIELD_UTIME; i <= FIELD_CSTIME; i++) {
		const char *at = field_of(stat, i);

		sum += at == NULL ? 0 : strtoull(at, NULL, 10);
	}
	return sum;
}

static uint64_t own_pages(const char *statm)
{
	unsigned long size, resident, shared;

	if (sscanf(statm, "%lu %lu %lu", &size, &resident, &shared) != 3)
		return 0;
	return resident > shared ? resident - shared : 0;
}

/*
 * In bytes; the file has kB: proc_pid_status(5).  No name in it can look like
 * a row, since the kernel writes line feeds in names as two characters.
 */
static uint64_t row_of(const char *status, const char *key)
{
	const char *row = strstr(status, key);

	return row == NULL ? 0 : strtoull(row + strlen(key), NULL, 10) * 1024;
}

/* The first thread of a process may end before the others: proc_pid_stat(5). */
static bool is_dead(const char *state, uint64_t threads)
{
	return state != NULL && (*state == 'Z' || *state == 'X') &&
	       threads <= 1;
}

int proc_measure(pid_t pid, struct proc_use *use)
{
	long per_second = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
	char stat[1024], statm[256], status[4096];
	const char *threads;

	if (proc_read(pid, "stat", stat, sizeof(stat)) < 0 ||
	    proc_read(pid, "statm", statm, sizeof(statm)) < 0 ||
	    proc_read(pid, "status", status, sizeof(status)) < 0)
		return -1;
	threads = field_of(stat, FIELD_THREADS);
	*use = (struct proc_use){
		.memory = own_pages(statm) * (uint64_t)page +
			  row_of(status, "\nRssShmem:") +
			  row_of(status, "\nVmPTE:"),
		.processor = ticks(stat) * (NS_PER_SECOND /
					    (uint64_t)per_second),
		.threads = threads == NULL ? 1 : strtoull(threads, NULL, 10),
	};
	use->is_dead = is_dead(field_of(stat, FIELD_STATE), use->threads);
	return 0;
}

pid_t proc_number_of(int pidfd)
{
	char path[64], text[512];
	const char *row;
	ssize_t length;
	int file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	length = read(file, text, sizeof(text) - 1);
	system_close(file);
	if (length < 0)
		return -1;
	text[length] = '\0';
	row = strstr(text, "Pid:\t");
	return row == NULL ? -1 : (pid_t)strtol(row + 5, NULL, 10);
}

uint64_t proc_processor(int pidfd)
{
	pid_t pid = proc_number_of(pidfd);
	struct timespec used;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &used) < 0)
		return 0;
	return (uint64_t)used.tv_sec * NS_PER_SECOND + (uint64_t)used.tv_nsec;
}

bool proc_is_of(pid_t pid, uid_t uid)
{
	char text[2048];
	const char *row;

	/* The owner of the folder is root where a process hides its memory. */
	if (proc_read(pid, "status", text, sizeof(text)) < 0)
		return false;
	row = strstr(text, "\nUid:\t");
	return row != NULL && strtoul(row + 6, NULL, 10) == uid;
}
