/* Makes the system calls of its arguments, by number, times the first one; prints each errno. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
	long times = count > 1 ? atol(words[1]) : 0;

	for (int i = 2; i < count; i++) {
		for (long turn = 0; turn < times; turn++) {
			errno = 0;
			syscall(atol(words[i]), 0, 0, 0, 0, 0, 0);
		}
		printf("%s %d\n", words[i], errno);
		fflush(stdout);
	}
	return 0;
}
