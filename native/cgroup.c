#define _GNU_SOURCE
#include "cgroup.h"

#include "status.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_ATTEMPTS 1000
#define REMOVE_PAUSE_NS 1000000

static int write_file(const char *file, const char *value, size_t length)
{
	int descriptor = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int answer;

	if (descriptor < 0)
		return -1;
	answer = system_write(descriptor, value, length);
	system_close(descriptor);
	return answer;
}

int cgroup_create(struct cgroup *cgroup, const struct plan *plan)
{
	cgroup->plan = plan;
	cgroup->cpu = -1;
	for (size_t i = 0; i < plan->directory_count; i++) {
		if (mkdir(plan->directories[i], 0755) < 0)
			return -1;
		cgroup->made++;
	}
	for (size_t i = 0; i < plan->setting_count; i++) {
		const struct plan_setting *row = &plan->settings[i];

		if (write_file(row->file, row->value, strlen(row->value)) < 0 &&
		    !(row->optional && errno == ENOENT))
			return -1;
	}
	cgroup->cpu = open(plan->cpu_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return cgroup->cpu < 0 ? -1 : 0;
}

/*
 * Each process for itself: then the kernel need not hold all others still,
 * which takes it milliseconds.
 */
int cgroup_join(const struct plan *plan)
{
	for (size_t i = 0; i < plan->join_count; i++) {
		if (write_file(plan->joins[i], "0", 1) < 0)
			return -1;
	}
	return 0;
}

int cgroup_admit(const struct plan *plan, pid_t pid)
{
	char number[16], path[PLAN_PATH_LONGEST + 16];
	int length = snprintf(number, sizeof(number), "%d", pid);

	for (size_t i = 0; i < plan->join_count; i++) {
		if (write_file(plan->joins[i], number, (size_t)length) < 0)
			return -1;
	}
	if (plan->into == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/cgroup.procs", plan->into);
	return write_file(path, number, (size_t)length);
}

/* The number at the beginning of the text; the text ends with a NUL. */
static int64_t leading_number(const char *text)
{
	int64_t number = 0;

	if (*text < '0' || *text > '9') {
		errno = EINVAL;
		return -1;
	}
	while (*text >= '0' && *text <= '9' && number < INT64_MAX / 20000)
		number = number * 10 + (*text++ - '0');
	return number;
}

int64_t cgroup_cpu(const struct cgroup *cgroup)
{
	static const char key[] = "usage_usec ";
	char text[512];
	const char *row = text;
	ssize_t length = pread(cgroup->cpu, text, sizeof(text) - 1, 0);
	int64_t number;

	if (length < 0)
		return -1;
	text[length] = '\0';
	if (!cgroup->plan->cpu_is_micros)
		return leading_number(text);
	row = strstr(text, key);
	if (row == NULL) {
		errno = EINVAL;
		return -1;
	}
	number = leading_number(row + sizeof(key) - 1);
	return number < 0 ? -1 : number * 1000;
}

static int open_members(const struct cgroup *cgroup)
{
	int folder = open(cgroup->plan->directories[0],
			  O_PATH | O_DIRECTORY | O_CLOEXEC);
	int file = folder < 0 ? -1 :
		openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	system_close(folder);
	return file;
}

bool cgroup_has(const struct cgroup *cgroup, pid_t pid)
{
	char text[4096], row[16];
	int file = open_members(cgroup);
	ssize_t length = file < 0 ? -1 : read(file, text + 1, sizeof(text) - 2);

	system_close(file);
	if (length < 0)
		return false;
	text[0] = '\n';
	text[length + 1] = '\0';
	snprintf(row, sizeof(row), "\n%d\n", pid);
	return strstr(text, row) != NULL;
}

int cgroup_count(const struct cgroup *cgroup)
{
	char text[4096];
	ssize_t length;
	int count = 0, file = open_members(cgroup);

	if (file < 0)
		return -1;
	while ((length = read(file, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < length; i++)
			count += text[i] == '\n';
	}
	system_close(file);
	return length < 0 ? -1 : count;
}

void cgroup_report(const struct cgroup *cgroup)
{
	/* Else some of the files may be of another run's groups. */
	if (cgroup->made < cgroup->plan->directory_count)
		return;
	for (size_t i = 0; i < cgroup->plan->reading_count; i++) {
		const struct plan_reading *row = &cgroup->plan->readings[i];
		char text[512];
		ssize_t length;
		int file = open(row->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (file < 0)
			continue;	/* an older kernel: no reading */
		length = read(file, text, sizeof(text));
		system_close(file);
		if (length < 0)
			continue;
		status_key("reading");
		status_word(row->label);
		status_text(text, (size_t)length);
		status_end();
	}
}

int cgroup_remove(struct cgroup *cgroup)
{
	static const struct timespec pause = { .tv_nsec = REMOVE_PAUSE_NS };

	system_end(&cgroup->cpu);
	for (int attempt = 0; cgroup->made > 0; attempt++) {
		if (rmdir(cgroup->plan->directories[cgroup->made - 1]) == 0) {
			cgroup->made--;
			continue;
		}
		/* Busy while the kernel still takes a dead process apart. */
		if (errno != EBUSY || attempt == REMOVE_ATTEMPTS)
			return -1;
		if (nanosleep(&pause, NULL) < 0 && errno != EINTR)
			return -1;
	}
	return 0;
}
