/*
 * Leaves two processes behind, in a session of their own, holding stdout; with
 * an argument, it stays too.
 */
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0) {
			setsid();
			if (fork() != 0)
				_exit(0);
			for (;;)
				pause();
		}
		waitpid(child, NULL, 0);
	}
	(void)words;
	while (count > 1)
		pause();
	return write(1, "left\n", 5) == 5 ? 0 : 4;
}
