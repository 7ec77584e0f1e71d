#define _GNU_SOURCE
#include "image-lock.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/stat.h>

/* The remover holds the lock until the name is gone: flock(2). */
static int lock_named(int file)
{
	struct stat status;

	if (flock(file, LOCK_SH | LOCK_NB) < 0 || fstat(file, &status) < 0)
		return -1;
	errno = ENOENT;
	return status.st_nlink > 0 ? 0 : -1;
}

int image_lock_take(const char *path, int *lock)
{
	int file, error;

	if (path == NULL)
		return 0;
	file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file < 0)
		return -1;
	if (lock_named(file) < 0) {
		error = errno;
		system_close(file);
		errno = error;
		return -1;
	}
	*lock = file;
	return 0;
}
