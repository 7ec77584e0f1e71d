/*
 * Starts the launcher, whose plan is descriptor 3, with pipes of its own for
 * status and output, as a service does, and waits for it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
	int status[2], output[2];
	char bytes[4096];
	pid_t pid;

	if (count != 2 || pipe2(status, O_CLOEXEC) < 0 ||
	    pipe2(output, O_CLOEXEC) < 0)
		return 1;
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		int copies[2] = {
			fcntl(status[1], F_DUPFD_CLOEXEC, 10),
			fcntl(output[1], F_DUPFD_CLOEXEC, 10),
		};

		if (dup2(copies[1], 1) < 0 || dup2(copies[1], 2) < 0 ||
		    dup2(copies[0], 4) < 0)
			_exit(1);
		execl(words[1], words[1], "run", (char *)NULL);
		_exit(1);
	}
	close(status[1]);
	close(output[1]);
	while (read(output[0], bytes, sizeof(bytes)) > 0)
		;
	while (read(status[0], bytes, sizeof(bytes)) > 0)
		;
	return waitpid(pid, NULL, 0) < 0;
}
