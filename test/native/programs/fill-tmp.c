/*
 * Fills /tmp with one file; exits as the first argument says.  Without one,
 * takes it away and fills /tmp with files; prints how much there was room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
	static char block[65536];
	long long bytes = 0;
	int files = 0, error, file = open("/tmp/file", O_WRONLY | O_CREAT, 0600);
	ssize_t length;

	while ((length = write(file, block, sizeof(block))) > 0)
		bytes += length;
	error = errno;
	printf("bytes %lld %d\n", bytes, error);
	if (count > 1)
		return atoi(words[1]);
	unlink("/tmp/file");
	for (;; files++) {
		char name[64];

		snprintf(name, sizeof(name), "/tmp/%d", files);
		if (open(name, O_WRONLY | O_CREAT, 0600) < 0)
			break;
		close(files + 4);
		close(4);
	}
	printf("files %d %d\n", files, errno);
	return 0;
}
