/* Forks in every process until it cannot, and then waits for its end. */
#include <unistd.h>

int main(void)
{
	for (;;) {
		if (fork() < 0)
			pause();
	}
}
