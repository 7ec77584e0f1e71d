#define _GNU_SOURCE
#include "inputs.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

static unsigned char buffer[CHUNK];

static int copy_content(int to, uint64_t left)
{
	while (left > 0) {
		size_t most = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t length = read(INPUTS_DESCRIPTOR, buffer, most);

		if (length < 0 && errno == EINTR)
			continue;
		if (length == 0)
			errno = ENODATA;
		if (length <= 0 ||
		    system_write(to, buffer, (size_t)length) < 0)
			return -1;
		left -= (uint64_t)length;
	}
	return 0;
}

/* The mode is exact: this process has no umask. */
static int write_file(int folder, const struct plan_file *row, uid_t owner)
{
	int file = openat(folder, row->name, O_WRONLY | O_CREAT | O_EXCL |
			  O_NOFOLLOW | O_CLOEXEC, row->mode);
	int answer;

	if (file < 0)
		return -1;
	answer = fchown(file, owner, owner) < 0 ?
		-1 : copy_content(file, row->size);
	system_close(file);
	return answer;
}

static int write_entry(int folder, const struct plan_file *row, uid_t owner)
{
	if (!row->is_folder)
		return write_file(folder, row, owner);
	if (mkdirat(folder, row->name, row->mode) < 0)
		return -1;
	return fchownat(folder, row->name, owner, owner, AT_SYMLINK_NOFOLLOW);
}

int inputs_write(const struct plan *plan, int tmp, uid_t owner)
{
	for (size_t i = 0; i < plan->file_count; i++) {
		const struct plan_file *row = &plan->files[i];
		int folder = system_openat2(tmp, row->folder,
					    O_PATH | O_DIRECTORY | O_CLOEXEC,
					    RESOLVE_BENEATH |
					    RESOLVE_NO_SYMLINKS |
					    RESOLVE_NO_MAGICLINKS |
					    RESOLVE_NO_XDEV);
		int answer, error;

		if (folder < 0)
			return -1;
		answer = write_entry(folder, row, owner);
		error = errno;
		system_close(folder);
		errno = error;
		if (answer < 0)
			return -1;
	}
	return 0;
}
