/* Prints what a guest can see and be, one `name value` a line. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static void show_identity(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2];
	int bounding = 0;

	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	syscall(SYS_capget, &header, sets);
	for (int i = 0; i < 64; i++)
		bounding += prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1;
	printf("uids %u %u %u\ngids %u %u %u\n", r, e, s, rg, eg, sg);
	printf("groups %d\n", getgroups(0, NULL));
	printf("capabilities %u %u %u %d\n",
	       sets[0].effective | sets[1].effective,
	       sets[0].permitted | sets[1].permitted,
	       sets[0].inheritable | sets[1].inheritable, bounding);
	printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("securebits %d\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	printf("pid %d\nparent %d\nsession %d\n", getpid(), getppid(),
	       getsid(0) == getpid());
}

static void show_descriptors(void)
{
	printf("descriptors");
	for (int i = 0; i < 4096; i++) {
		if (fcntl(i, F_GETFD) >= 0)
			printf(" %d", i);
	}
	printf("\ntty %d\n", isatty(0) || isatty(1) || isatty(2));
}

static void list(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	printf("list:%s", path);
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] != '.')
			printf(" %s", entry->d_name);
	}
	printf("\n");
	if (folder != NULL)
		closedir(folder);
}

static void try_open(const char *path, int flags)
{
	int file = open(path, flags, 0600);

	printf("open:%s %s\n", path, file < 0 ? strerrorname_np(errno) : "ok");
	if (file >= 0)
		close(file);
}

/* Nothing but Landlock is against it: an unfiltered, unused port of one's own. */
static void try_bind(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int server = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_port = htons(4321);
	printf("bind %s\n", bind(server, (struct sockaddr *)&address,
				 sizeof(address)) < 0 ?
	       strerrorname_np(errno) : "ok");
	close(server);
}

static void show_limits(void)
{
	struct rlimit limit;

	for (int i = 0; i < 16; i++) {
		if (getrlimit(i, &limit) == 0)
			printf("rlimit:%d %lld %lld\n", i,
			       (long long)limit.rlim_cur,
			       (long long)limit.rlim_max);
	}
}

static void show_signals(void)
{
	struct sigaction action;
	sigset_t mask;
	int odd = 0;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		odd += sigismember(&mask, i) == 1;
		if (sigaction(i, NULL, &action) == 0)
			odd += action.sa_handler != SIG_DFL;
	}
	printf("odd_signals %d\n", odd);
}

int main(int count, char **words)
{
	char name[256], folder[4096];
	struct if_nameindex *interfaces = if_nameindex();

	for (int i = 0; i < count; i++)
		printf("argument:%d %s\n", i, words[i]);
	for (char **row = environ; *row != NULL; row++)
		printf("variable %s\n", *row);
	show_identity();
	show_descriptors();
	show_signals();
	gethostname(name, sizeof(name));
	printf("hostname %s\n", name);
	printf("directory %s\n", getcwd(folder, sizeof(folder)));
	printf("umask %o\n", umask(0));
	list("/");
	list("/dev");
	list("/run");
	list("/tmp");
	try_open("/etc/passwd", O_RDONLY);
	try_open("/etc/canary", O_RDONLY);
	try_open("/proc/self/exe", O_RDONLY);
	try_open("/../../../etc/passwd", O_RDONLY);
	try_open("/bin/planted", O_WRONLY | O_CREAT);
	try_open("/planted", O_WRONLY | O_CREAT);
	try_open("/dev/planted", O_WRONLY | O_CREAT);
	try_open("/run/program/planted", O_WRONLY | O_CREAT);
	try_open("/run/program/main.py", O_RDONLY);
	try_open("/run/program/main.py", O_WRONLY);
	try_open("/tmp/planted", O_WRONLY | O_CREAT);
	try_open("/dev/null", O_WRONLY);
	try_open("/dev/tty", O_RDONLY);
	printf("mknod %s\n", mknod("/tmp/device", S_IFCHR | 0666, 259) < 0 ?
	       strerrorname_np(errno) : "ok");
	printf("kill_init %s\n", kill(1, 9) < 0 ? strerrorname_np(errno) : "ok");
	printf("kill_all %s\n", kill(-1, 0) < 0 ? strerrorname_np(errno) : "ok");
	printf("interfaces");
	for (; interfaces != NULL && interfaces->if_name != NULL; interfaces++)
		printf(" %s", interfaces->if_name);
	printf("\n");
	try_bind();
	show_limits();
	return 0;
}
