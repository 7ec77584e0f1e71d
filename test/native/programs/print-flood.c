/* Prints without end, to the descriptor that its argument says. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
	char line[4096];

	memset(line, 'x', sizeof(line));
	for (;;) {
		if (write(count > 1 ? atoi(words[1]) : 1, line,
			  sizeof(line)) < 0)
			return 4;
	}
}
