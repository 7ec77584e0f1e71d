/* Sends itself the signal that its argument says. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
	kill(getpid(), count > 1 ? atoi(words[1]) : SIGKILL);
	return 4;
}
