/*
 * Leaves in its working directory what is hard to remove: folders in folders
 * as deep as the first argument says, closed folders, links, odd names.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **words)
{
	int depth = count > 1 ? atoi(words[1]) : 10;

	symlink("/etc", "link");
	symlink("../../..", "up");
	mkfifo("fifo", 0);
	close(open("a\nb \xff\"'", O_CREAT | O_WRONLY, 0));
	link("fifo", "another");
	mkdir("closed", 0700);
	close(open("closed/inner", O_CREAT | O_WRONLY, 0));
	mkdir("closed/folder", 0700);
	close(open("closed/folder/file", O_CREAT | O_WRONLY, 0));
	chmod("closed/folder", 0);
	chmod("closed", 0);
	for (int i = 0; i < depth; i++) {
		if (mkdir("deep", 0700) < 0 || chdir("deep") < 0)
			return 1;
	}
	return write(1, "done\n", 5) == 5 ? 0 : 4;
}
