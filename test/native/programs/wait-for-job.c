/*
 * Waits as a parked program does (native/park.h): its words are things to do,
 * `ready` and `job` among them.  After `job` come the words of the job.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINK 7
#define ROOM 262144

static char job[ROOM];

static void copy(int from)
{
	char bytes[4096];
	ssize_t length;

	fflush(stdout);
	while ((length = read(from, bytes, sizeof(bytes))) > 0)
		write(1, bytes, (size_t)length);
}

static void list(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);

	printf("%s:", path);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.')
			printf(" %s", names[i]->d_name);
	}
	printf("\n");
}

static void print_descriptors(void)
{
	printf("descriptors");
	for (int i = 0; i < 1024; i++) {
		if (fcntl(i, F_GETFD) >= 0)
			printf(" %d", i);
	}
	printf("\n");
}

static void spin(long ms)
{
	struct timespec used;

	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	} while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
}

/* Says so when it would get one, and ends with its number. */
static void await_signal(void)
{
	sigset_t all;
	int number = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	printf("waiting\n");
	fflush(stdout);
	sigwait(&all, &number);
	_exit(number);
}

static void print_for_ever(void)
{
	static const char zeros[65536];

	while (write(1, zeros, sizeof(zeros)) > 0)
		;
	_exit(1);
}

static void act(char **words, size_t count);

static void take_job(void)
{
	static char *words[2048];
	uint32_t counts[2];
	size_t used = 0, given = 0;
	ssize_t length;

	while ((length = read(LINK, job + used, sizeof(job) - used)) > 0)
		used += (size_t)length;
	close(LINK);
	if (used < sizeof(counts))
		_exit(99);
	memcpy(counts, job, sizeof(counts));
	for (char *at = job + sizeof(counts); at < job + used;
	     at += strlen(at) + 1)
		words[given++] = at;
	if (given != counts[0] + counts[1])
		_exit(98);
	for (size_t i = counts[0]; i < given; i++)
		putenv(words[i]);
	act(words + 1, counts[0] - 1);
}

static void act_once(const char *word, const char *value)
{
	if (strcmp(word, "ready") == 0)
		write(LINK, ".", 1);
	else if (strcmp(word, "job") == 0)
		take_job();
	else if (strcmp(word, "close") == 0)
		close(LINK);
	else if (strcmp(word, "poll") == 0)
		poll(&(struct pollfd){ LINK, POLLIN, 0 }, 1, -1);
	else if (strcmp(word, "read") == 0)
		read(LINK, job, (size_t)atol(value));
	else if (strcmp(word, "say") == 0)
		printf("%s\n", value);
	else if (strcmp(word, "complain") == 0)
		fprintf(stderr, "%s\n", value);
	else if (strcmp(word, "variable") == 0)
		printf("%s=%s\n", value, getenv(value));
	else if (strcmp(word, "count") == 0)
		printf("%zu\n", strlen(value));
	else if (strcmp(word, "call") == 0)
		syscall(atol(value), -1, -1, -1);
	else if (strcmp(word, "spin") == 0)
		spin(atol(value));
	else if (strcmp(word, "list") == 0)
		list(value);
	else if (strcmp(word, "show") == 0)
		copy(open(value, O_RDONLY));
	else if (strcmp(word, "input") == 0)
		copy(0);
	else if (strcmp(word, "descriptors") == 0)
		print_descriptors();
	else if (strcmp(word, "signal") == 0)
		await_signal();
	else if (strcmp(word, "stay") == 0)
		for (;;)
			pause();
	else if (strcmp(word, "flood") == 0)
		print_for_ever();
	else if (strcmp(word, "fork") == 0 && fork() == 0)
		for (;;)
			pause();
	else if (strcmp(word, "exit") == 0)
		exit(atoi(value));
	else if (strcmp(word, "die") == 0)
		raise(atoi(value));
}

/* Each word is `name` or `name:value`. */
static void act(char **words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *value = strchr(words[i], ':');

		if (value != NULL)
			*value++ = '\0';
		act_once(words[i], value == NULL ? "" : value);
		fflush(stdout);
	}
}

int main(int count, char **words)
{
	act(words + 1, (size_t)count - 1);
	return 0;
}
