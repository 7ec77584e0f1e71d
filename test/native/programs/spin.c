/* Uses the processor and nothing else, in as many processes as are asked for. */
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
	for (int i = count > 1 ? atoi(words[1]) : 1; i > 1; i--)
		if (fork() == 0)
			break;
	for (volatile unsigned long turns = 0;; turns++)
		;
}
