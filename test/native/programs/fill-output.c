/* Writes to stdout until nothing more fits for a while; tells on stderr how much that was. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	static char block[4096];
	long long bytes = 0;

	fcntl(1, F_SETFL, O_NONBLOCK);
	for (int refusals = 0; refusals < 5;) {
		ssize_t length = write(1, block, sizeof(block));

		if (length > 0) {
			bytes += length;
			refusals = 0;
		} else {
			refusals++;
			usleep(20000);
		}
	}
	fprintf(stderr, "%lld\n", bytes);
	return 0;
}
