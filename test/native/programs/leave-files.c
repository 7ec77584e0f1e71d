/*
 * For each word does one thing in the working directory: `tree` prints what is
 * there; the others leave something for whoever takes files out.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void print_tree(const char *path)
{
	struct stat status;
	struct dirent *entry;
	DIR *folder;

	lstat(path, &status);
	printf("%s %o %d %lld\n", path, status.st_mode,
	       status.st_uid == getuid() && status.st_gid == getgid(),
	       S_ISREG(status.st_mode) ? (long long)status.st_size : 0);
	folder = S_ISDIR(status.st_mode) ? opendir(path) : NULL;
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char inner[4096];

		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			print_tree(inner);
	}
}

static void write_file(const char *name, size_t length, mode_t mode)
{
	static char block[65536];
	int file = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	memset(block, 'x', sizeof(block));
	while (length > 0) {
		size_t part = length < sizeof(block) ? length : sizeof(block);

		if (write(file, block, part) != (ssize_t)part)
			exit(9);
		length -= part;
	}
	fchmod(file, mode);
	close(file);
}

static void leave_odd_things(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int number = socket(AF_UNIX, SOCK_STREAM, 0);

	mkdir("odd", 0755);
	strcpy(address.sun_path, "odd/socket");
	bind(number, (struct sockaddr *)&address, sizeof(address));
	symlink("/etc/passwd", "odd/link");
	symlink("/", "odd/root");
	mkfifo("odd/fifo", 0666);
	write_file("odd/plain", 10, 0600);
	write_file("odd/closed", 3, 0);
	write_file("odd/setuid", 4, 06755);
	write_file("odd/line\nfeed", 1, 0644);
	write_file("odd/\xff\xfe", 1, 0644);
	write_file("odd/-rf", 1, 0644);
	link("odd/plain", "odd/hard");
	mkdir("odd/shut", 0755);
	write_file("odd/shut/inner", 2, 0);
	chmod("odd/shut", 0);
}

static void leave_depth(int levels)
{
	mkdir("deep", 0755);
	chdir("deep");
	while (levels-- > 0) {
		mkdir("d", 0755);
		chdir("d");
	}
	write_file("bottom", 1, 0644);
	chdir("/tmp");
}

static void leave_many(int files)
{
	mkdir("many", 0755);
	for (int i = 0; i < files; i++) {
		char name[64];

		snprintf(name, sizeof(name), "many/%d", i);
		close(open(name, O_WRONLY | O_CREAT, 0600));
	}
}

int main(int count, char **words)
{
	for (int i = 1; i < count; i++) {
		if (strcmp(words[i], "tree") == 0)
			print_tree(".");
		if (strcmp(words[i], "odd") == 0)
			leave_odd_things();
		if (strcmp(words[i], "deep") == 0)
			leave_depth(10000);
		if (strcmp(words[i], "many") == 0)
			leave_many(20000);
		if (strcmp(words[i], "large") == 0)
			write_file("large", 3 << 20, 0644);
		if (strcmp(words[i], "small") == 0)
			write_file("small", 5, 0644);
		if (strcmp(words[i], "sparse") == 0) {
			write_file("sparse", 1, 0644);
			if (truncate("sparse", 1LL << 40) < 0)
				return 8;
		}
		if (strcmp(words[i], "crash") == 0)
			abort();
		if (strcmp(words[i], "wait") == 0)
			pause();
	}
	return 0;
}
