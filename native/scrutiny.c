#define _GNU_SOURCE
#include "scrutiny.h"

#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 64
/* Without our own user we could end nothing any more. */
#define STATUS_LOST 125

/* The text behind a key of status, or an empty one. */
static const char *text_of(const char *status, const char *key)
{
	const char *row = strstr(status, key);

	return row == NULL ? "" : row + strlen(key);
}

static bool has_row(const char *status, const char *row)
{
	return strstr(status, row) != NULL;
}

static bool has_only_user(const char *status, const char *key, uid_t uid)
{
	char row[80];

	snprintf(row, sizeof(row), "\n%s:\t%u\t%u\t%u\t%u\n", key, uid, uid,
		 uid, uid);
	return has_row(status, row);
}

static bool has_no_capability(const char *status)
{
	static const char *const sets[] = {
		"\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t",
		"\nCapBnd:\t", "\nCapAmb:\t",
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		const char *text = text_of(status, sets[i]);

		if (text[0] == '\0' || strtoull(text, NULL, 16) != 0)
			return false;
	}
	return true;
}

/* Of the numbers of a process, the last is its own, the one before is around. */
static bool has_number(const char *status, pid_t number, pid_t *outer)
{
	const char *text = text_of(status, "\nNSpid:");
	long before = 0, last = 0;
	char *end;

	while (*text == '\t') {
		before = last;
		last = strtol(text + 1, &end, 10);
		text = end;
	}
	*outer = (pid_t)before;
	return last == number && before > 0;
}

bool scrutiny_is_confined(pid_t pid, uid_t uid, pid_t number, pid_t *outer)
{
	char status[4096];
	const char *filters;

	if (proc_read(pid, "status", status, sizeof(status)) < 0)
		return false;
	filters = text_of(status, "\nSeccomp_filters:\t");
	return has_only_user(status, "Uid", uid) &&
	       has_only_user(status, "Gid", uid) &&
	       has_row(status, "\nThreads:\t1\n") &&
	       has_row(status, "\nNoNewPrivs:\t1\n") &&
	       has_row(status, "\nSeccomp:\t2\n") &&
	       (filters[0] == '\0' || strtol(filters, NULL, 10) >= 2) &&
	       has_no_capability(status) && has_number(status, number, outer);
}

bool scrutiny_is_beside(pid_t pid, pid_t other)
{
	static const char *const names[] = {
		"user", "mnt", "pid", "net", "ipc", "uts", "cgroup",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_ROOM];
		struct stat one, two;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[i]);
		if (stat(path, &one) < 0)
			return false;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", other, names[i]);
		if (stat(path, &two) < 0 || one.st_ino != two.st_ino ||
		    one.st_dev != two.st_dev)
			return false;
	}
	return true;
}

/* Both are only for whoever could trace the process: its user, for one. */
static int open_as(pid_t pid, const char *name, int flags, uid_t uid)
{
	uid_t own_user = geteuid();
	gid_t own_group = getegid();
	int file = -1;

	if (setresgid((gid_t)-1, uid, (gid_t)-1) < 0)
		return -1;
	if (setresuid((uid_t)-1, uid, (uid_t)-1) == 0) {
		file = proc_open(pid, name, flags);
		if (setresuid((uid_t)-1, own_user, (uid_t)-1) < 0)
			_exit(STATUS_LOST);
	}
	if (setresgid((gid_t)-1, own_group, (gid_t)-1) < 0)
		_exit(STATUS_LOST);
	return file;
}

/* `7f… rw-s …`: what is written there, all that are forked would see. */
static int has_shared_memory(pid_t pid, uid_t uid)
{
	int file = open_as(pid, "maps", 0, uid);
	FILE *rows = file < 0 ? NULL : fdopen(file, "r");
	char row[1024];
	int answer = 0;

	if (rows == NULL)
		return -1;
	while (answer == 0 && fgets(row, sizeof(row), rows) != NULL) {
		const char *mode = strchr(row, ' ');

		answer = mode != NULL && strlen(mode) > 4 && mode[2] == 'w' &&
			 mode[4] == 's';
	}
	fclose(rows);
	return answer;
}

static bool is_known(const char *name, const int *known, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strtol(name, NULL, 10) == known[i])
			return true;
	}
	return name[0] == '.';
}

static int has_descriptors(pid_t pid, uid_t uid, const int *known, size_t count)
{
	int folder = open_as(pid, "fd", O_DIRECTORY, uid);
	DIR *rows = folder < 0 ? NULL : fdopendir(folder);
	const struct dirent *row;
	int answer = 0;

	if (rows == NULL)
		return -1;
	while (answer == 0 && (row = readdir(rows)) != NULL)
		answer = !is_known(row->d_name, known, count);
	closedir(rows);
	return answer;
}

const char *scrutiny_anomaly(int pidfd, uid_t uid, const int *known, size_t count)
{
	pid_t pid = proc_number_of(pidfd);
	char status[4096];
	int is_shared, is_open;

	if (pid <= 0 || proc_read(pid, "status", status, sizeof(status)) < 0)
		return "unreadable";
	if (!has_row(status, "\nThreads:\t1\n"))
		return "threads";
	is_shared = has_shared_memory(pid, uid);
	is_open = has_descriptors(pid, uid, known, count);
	if (is_shared < 0 || is_open < 0)
		return "unreadable";
	return is_shared > 0 ? "shared-memory" :
	       is_open > 0 ? "descriptors" : NULL;
}
