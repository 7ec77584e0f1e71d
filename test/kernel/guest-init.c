/*
 * Pid 1 of a machine that only runs cells: each folder of /cases is one run,
 * with its plan, its stdin, and the milliseconds after which it is cancelled.
 * What comes of a run goes to the console in lines that machine.ts reads:
 *
 *	@begin CASE
 *	@bytes CASE stdout|stderr|status BASE64		as often as needed
 *	@left CASE WHAT					what the run left behind
 *	@end CASE WAIT_STATUS
 *	@over						after the last case
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUPS "/sys/fs/cgroup"
#define PORT 4000
#define SETTLE_MS 5000
#define CHUNK 570
#define FIRST_UID 1000

static int visited[2];	/* servers of the host that no guest may reach */

static void die(const char *what)
{
	printf("@failed %s: %s\n", what, strerror(errno));
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void must(bool is_done, const char *what)
{
	if (!is_done)
		die(what);
}

static void write_text(const char *file, const char *text)
{
	int descriptor = open(file, O_WRONLY | O_CLOEXEC);

	must(descriptor >= 0 &&
	     write(descriptor, text, strlen(text)) == (ssize_t)strlen(text),
	     file);
	close(descriptor);
}

static long long now_ms(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock");
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The first root of a machine cannot be pivoted away from: pivot_root(2). */
static void leave_first_root(void)
{
	must(mkdir("/again", 0755) == 0, "mkdir");
	must(mount("/", "/again", NULL, MS_BIND, NULL) == 0, "bind");
	must(chdir("/again") == 0, "chdir");
	must(mount(".", "/", NULL, MS_MOVE, NULL) == 0, "move");
	must(chroot(".") == 0 && chdir("/") == 0, "chroot");
}

static void mount_all(void)
{
	must(mount("dev", "/dev", "devtmpfs", 0, NULL) == 0, "devtmpfs");
	must(mount("proc", "/proc", "proc", 0, NULL) == 0, "proc");
	must(mount("sys", "/sys", "sysfs", 0, NULL) == 0, "sysfs");
	must(mount("run", "/run", "tmpfs", 0, NULL) == 0, "run");
	must(mount("out", "/out", "tmpfs", 0, NULL) == 0, "out");
	must(mount("groups", GROUPS, "cgroup2", 0, NULL) == 0, "cgroup2");
	write_text(GROUPS "/cgroup.subtree_control", "+memory +pids +cpu");
	must(mkdir("/run/rootcellar", 0700) == 0, "mkdir");
}

static void listen_for_guests(void)
{
	struct sockaddr_in network = {
		.sin_family = AF_INET, .sin_port = htons(PORT),
	};
	struct sockaddr_un local = {
		.sun_family = AF_UNIX, .sun_path = "\0canary",
	};
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 7;

	visited[0] = socket(AF_INET, flags, 0);
	visited[1] = socket(AF_UNIX, flags, 0);
	must(ioctl(visited[0], SIOCSIFFLAGS, &loopback) == 0, "loopback");
	must(bind(visited[0], (struct sockaddr *)&network,
		  sizeof(network)) == 0 &&
	     bind(visited[1], (struct sockaddr *)&local, length) == 0, "bind");
	must(listen(visited[0], 8) == 0 && listen(visited[1], 8) == 0,
	     "listen");
}

static void put_base64(const unsigned char *bytes, size_t length)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t three = (uint32_t)bytes[i] << 16 |
			(left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
			(left > 2 ? (uint32_t)bytes[i + 2] : 0);

		putchar(letters[three >> 18]);
		putchar(letters[three >> 12 & 63]);
		putchar(left > 1 ? letters[three >> 6 & 63] : '=');
		putchar(left > 2 ? letters[three & 63] : '=');
	}
}

static void tell_bytes(const char *name, const char *kind,
		       const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i += CHUNK) {
		size_t left = length - i;

		printf("@bytes %s %s ", name, kind);
		put_base64(bytes + i, left < CHUNK ? left : CHUNK);
		putchar('\n');
	}
}

static void tell_file(const char *name, const char *kind)
{
	static unsigned char bytes[CHUNK * 64];
	char path[64];
	ssize_t length;
	int file;

	snprintf(path, sizeof(path), "/out/%s", kind);
	file = open(path, O_RDONLY | O_CLOEXEC);
	must(file >= 0, path);
	while ((length = read(file, bytes, sizeof(bytes))) > 0)
		tell_bytes(name, kind, bytes, (size_t)length);
	close(file);
}

static int open_in(const char *name, const char *file)
{
	char path[512];

	snprintf(path, sizeof(path), "/cases/%s/%s", name, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int make_out(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static pid_t start_cell(const char *name, int status)
{
	int files[5] = {
		open_in(name, "input"), make_out("/out/stdout"),
		make_out("/out/stderr"), open_in(name, "plan"), status,
	};
	char *const words[] = { "/cell", "run", NULL };
	char *const none[] = { NULL };
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid != 0) {
		for (int i = 0; i < 4; i++)
			close(files[i]);
		return pid;
	}
	for (int i = 0; i < 5; i++)
		files[i] = fcntl(files[i], F_DUPFD, 10);
	for (int i = 0; i < 5; i++)
		must(dup2(files[i], i) == i, "dup2");
	must(syscall(SYS_close_range, 5, ~0U, 0) == 0, "close_range");
	execve(words[0], words, none);
	_exit(126);
}

/* -1: the run is not to be cancelled. */
static int cancel_after(const char *name)
{
	char digits[16] = "";
	int file = open_in(name, "cancel");

	if (file < 0)
		return -1;
	must(read(file, digits, sizeof(digits) - 1) > 0, "cancel");
	close(file);
	return atoi(digits);
}

/* Until the launcher has closed its side. */
static void hear_status(const char *name, int status)
{
	unsigned char bytes[CHUNK];
	struct pollfd row = { status, POLLIN, 0 };
	int wait_ms = cancel_after(name);
	ssize_t length;

	for (;;) {
		if (poll(&row, 1, wait_ms) == 0) {
			must(shutdown(status, SHUT_WR) == 0, "cancel");
			wait_ms = -1;
			continue;
		}
		length = read(status, bytes, sizeof(bytes));
		if (length <= 0)
			return;
		tell_bytes(name, "status", bytes, (size_t)length);
	}
}

static bool is_guest(const char *pid)
{
	char path[300];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	if (pid[0] < '1' || pid[0] > '9' || stat(path, &status) < 0)
		return false;
	return status.st_uid >= FIRST_UID || atoi(pid) > 1;
}

/* Kernel threads have no command line, zombies neither: those have a parent. */
static bool is_kernel_thread(const char *pid)
{
	char path[300], text[512] = "";
	const char *end;
	int file, parent = 0;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return true;	/* gone meanwhile */
	if (read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	end = strrchr(text, ')');
	return end != NULL && sscanf(end, ") %*c %d", &parent) == 1 &&
	       (parent == 2 || parent == 0);
}

static int count_processes(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	must(folder != NULL, "/proc");
	while ((entry = readdir(folder)) != NULL)
		count += is_guest(entry->d_name) &&
			 !is_kernel_thread(entry->d_name);
	closedir(folder);
	return count;
}

static int count_groups(void)
{
	DIR *folder = opendir(GROUPS);
	struct dirent *entry;
	int count = 0;

	must(folder != NULL, GROUPS);
	while ((entry = readdir(folder)) != NULL)
		count += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static int count_mounts(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	int count = 0, letter;

	must(mounts != NULL, "mountinfo");
	while ((letter = getc(mounts)) != EOF)
		count += letter == '\n';
	fclose(mounts);
	return count;
}

static int count_visits(void)
{
	int count = 0, socket;

	for (int i = 0; i < 2; i++) {
		while ((socket = accept(visited[i], NULL, NULL)) >= 0) {
			close(socket);
			count++;
		}
	}
	return count;
}

static void tell_left(const char *name, const char *what, int (*count)(void),
		      int before)
{
	long long end = now_ms() + SETTLE_MS;

	while (count() > before && now_ms() < end)
		usleep(10000);
	if (count() > before)
		printf("@left %s %d %s\n", name, count() - before, what);
}

static void run_case(const char *name)
{
	int mounts = count_mounts(), ends[2], wait_status;
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
	     "socketpair");
	printf("@begin %s\n", name);
	fflush(stdout);
	pid = start_cell(name, ends[1]);
	close(ends[1]);
	hear_status(name, ends[0]);
	close(ends[0]);
	must(waitpid(pid, &wait_status, 0) == pid, "waitpid");
	tell_file(name, "stdout");
	tell_file(name, "stderr");
	tell_left(name, "processes", count_processes, 0);
	tell_left(name, "control groups", count_groups, 0);
	tell_left(name, "mounts", count_mounts, mounts);
	tell_left(name, "visits", count_visits, 0);
	printf("@end %s %d\n", name, wait_status);
	fflush(stdout);
}

/* What this kernel allows, as the outcome of a case that has no plan. */
static void probe(void)
{
	char *const words[] = { "/cell", "probe", NULL };
	char *const none[] = { NULL };
	int wait_status, output = make_out("/out/stdout");
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0) {
		must(dup2(output, 1) == 1, "dup2");
		execve(words[0], words, none);
		_exit(126);
	}
	close(output);
	must(waitpid(pid, &wait_status, 0) == pid, "waitpid");
	printf("@begin probe\n");
	tell_file("probe", "stdout");
	printf("@end probe %d\n", wait_status);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(void)
{
	struct dirent **cases;
	int count;

	leave_first_root();
	mount_all();
	listen_for_guests();
	setvbuf(stdout, NULL, _IOFBF, 65536);
	count = scandir("/cases", &cases, is_case, alphasort);
	must(count > 0, "/cases");
	probe();
	for (int i = 0; i < count; i++)
		run_case(cases[i]->d_name);
	printf("@over\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
