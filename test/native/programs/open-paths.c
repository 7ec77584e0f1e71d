/* Says of each path what opening it for reading, and for writing, gives. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *answer(const char *path, int flags)
{
	int file = open(path, flags, 0600);

	if (file < 0)
		return strerrorname_np(errno);
	close(file);
	return "0";
}

int main(int count, char **words)
{
	for (int i = 1; i < count; i++) {
		const char *read = answer(words[i], O_RDONLY);
		const char *write = answer(words[i], O_WRONLY | O_CREAT);

		printf("%s read %s write %s\n", words[i], read, write);
	}
	return 0;
}
