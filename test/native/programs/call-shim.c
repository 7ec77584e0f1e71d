/* call-shim SHIM UID ROOT: confines itself as a script would, then says what it still may. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int (*confine)(unsigned int, unsigned int, _Bool);
	void *shim = argc == 4 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int result;

	if (shim == NULL || chdir(argv[3]) < 0)
		return 64;
	confine = (int (*)(unsigned int, unsigned int, _Bool))dlsym(shim, "DifySeccomp");
	result = confine((unsigned int)strtoul(argv[2], NULL, 10), 65537, 0);
	printf("result %d, uid %d, gid %d", result, (int)getuid(), (int)getgid());
	printf(", host %s", access("/etc/passwd", F_OK) == 0 ? "seen" : "hidden");
	errno = 0;
	printf(", socket %s\n", socket(AF_INET, SOCK_STREAM, 0) >= 0 ? "made" : errno == EPERM ? "denied" : "failed");
	return 0;
}
