/* Says that it is ready, and ends with the number of the signal it gets. */
#include <signal.h>
#include <unistd.h>

int main(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
				       SIGUSR1, SIGUSR2 };
	sigset_t all;
	int number;

	sigemptyset(&all);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&all, numbers[i]);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (write(1, "ready\n", 6) != 6 || sigwait(&all, &number) != 0)
		return 4;
	return number;
}
