#define _GNU_SOURCE
#include "identity.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/*
 * One byte of the file stands for one id.  The lock belongs to the open file
 * description, so the kernel frees it when the keeper is gone, however it
 * went: fcntl(2), "Open file description locks".
 */
static int lock_byte(int file, uint32_t index)
{
	struct flock range = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)index,
		.l_len = 1,
	};

	return fcntl(file, F_OFD_SETLK, &range);
}

int identity_take(const struct plan *plan, uint32_t *uid, int *lock)
{
	int file = open(plan->uid_lock,
			O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (file < 0)
		return -1;
	for (uint32_t index = 0; index < plan->uid_count; index++) {
		if (lock_byte(file, index) == 0) {
			*uid = plan->uid_first + index;
			*lock = file;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			break;
	}
	system_close(file);
	return -1;
}
