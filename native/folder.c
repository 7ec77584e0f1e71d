#define _GNU_SOURCE
#include "folder.h"

#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEEPEST 64
#define BLOCK 512u
#define NAME_ROOM 32
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The entries of one folder, some at a time. */
struct listing {
	int folder;
	long length;
	long at;
	_Alignas(struct dirent64) char bytes[8192];
};

static bool is_itself(const char *name)
{
	return name[0] == '.' &&
	       (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* NULL at the end, and on an error with errno other than 0. */
static const struct dirent64 *next_entry(struct listing *listing)
{
	for (;;) {
		const struct dirent64 *entry;

		if (listing->at >= listing->length) {
			errno = 0;
			listing->at = 0;
			listing->length = syscall(SYS_getdents64,
						  listing->folder,
						  listing->bytes,
						  sizeof(listing->bytes));
			if (listing->length <= 0)
				return NULL;
		}
		entry = (const void *)(listing->bytes + listing->at);
		listing->at += entry->d_reclen;
		if (!is_itself(entry->d_name))
			return entry;
	}
}

/* Folders that are open, the innermost last, each with where to go on. */
struct way {
	int folders[DEEPEST];
	int depth;
	struct listing listing;
};

static void go_into(struct way *way, int folder)
{
	way->folders[way->depth++] = folder;
	way->listing.folder = folder;
	way->listing.length = 0;
	way->listing.at = 0;
}

static int measure_entry(struct way *way, const struct dirent64 *entry,
			 struct folder_use *use)
{
	struct stat status;
	int folder;

	use->entries++;
	/* Gone meanwhile: then it holds nothing. */
	if (fstatat(way->listing.folder, entry->d_name, &status,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	use->bytes += (uint64_t)status.st_blocks * BLOCK;
	if (!S_ISDIR(status.st_mode))
		return 0;
	if (way->depth == DEEPEST)
		return 1;
	folder = openat(way->listing.folder, entry->d_name, OPEN_FOLDER);
	if (folder < 0)
		return 0;	/* closed to us, or gone: it is counted itself */
	/* The rest of this listing is read again when we are back. */
	if (lseek(way->listing.folder, entry->d_off, SEEK_SET) < 0) {
		system_close(folder);
		return -1;
	}
	go_into(way, folder);
	return 0;
}

int folder_measure(int folder, uint64_t most, struct folder_use *use)
{
	static struct way way;
	int first = openat(folder, ".", OPEN_FOLDER), answer = 0;

	*use = (struct folder_use){ 0 };
	way.depth = 0;
	if (first < 0)
		return -1;
	go_into(&way, first);
	while (way.depth > 0 && answer == 0 && use->entries < most) {
		const struct dirent64 *entry = next_entry(&way.listing);

		if (entry != NULL) {
			answer = measure_entry(&way, entry, use);
			continue;
		}
		system_close(way.folders[--way.depth]);
		if (way.depth > 0) {
			way.depth--;
			go_into(&way, way.folders[way.depth]);
		}
	}
	while (way.depth > 0)
		system_close(way.folders[--way.depth]);
	if (answer > 0)
		use->entries = most;
	return answer < 0 ? -1 : 0;
}

/* Its owner may have closed a folder to everybody. */
static int open_inner(int folder, const char *name)
{
	int inner = openat(folder, name, OPEN_FOLDER);

	if (inner >= 0 || errno != EACCES)
		return inner;
	if (fchmodat(folder, name, 0700, 0) < 0)
		return -1;
	return openat(folder, name, OPEN_FOLDER);
}

/* To a name that is not taken, or is of a file that goes anyway. */
static int move_up(int from, const char *name, int folder)
{
	static unsigned int number;
	char other[NAME_ROOM];

	/* Not a link: that would be gone.  Its `..` has to be written. */
	if (fchmodat(from, name, 0700, 0) < 0)
		return -1;
	for (;;) {
		if (snprintf(other, sizeof(other), "moved.%u", number++) < 0)
			return -1;
		if (renameat(from, name, folder, other) == 0)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != EISDIR &&
		    errno != ENOTDIR)
			return -1;
	}
}

/*
 * What an inner folder has becomes the outer's: so depth does not matter, and
 * each entry is moved at most once.
 */
static int dissolve(int folder, const char *name)
{
	struct listing listing = { .folder = open_inner(folder, name) };
	const struct dirent64 *entry;
	int answer = 0;

	if (listing.folder < 0)
		return -1;
	if (fchmod(listing.folder, 0700) < 0)
		answer = -1;
	while (answer == 0 && (entry = next_entry(&listing)) != NULL) {
		if (unlinkat(listing.folder, entry->d_name, 0) == 0)
			continue;
		answer = move_up(listing.folder, entry->d_name, folder);
	}
	if (answer == 0 && errno != 0)
		answer = -1;
	system_close(listing.folder);
	return answer < 0 ? -1 : unlinkat(folder, name, AT_REMOVEDIR);
}

/* Whether anything was there; -1 and errno. */
static int empty_once(int folder)
{
	struct listing listing = { .folder = folder };
	const struct dirent64 *entry;
	int count = 0;

	if (lseek(folder, 0, SEEK_SET) < 0)
		return -1;
	while ((entry = next_entry(&listing)) != NULL) {
		count = 1;
		if (unlinkat(folder, entry->d_name, 0) == 0 ||
		    unlinkat(folder, entry->d_name, AT_REMOVEDIR) == 0)
			continue;
		if (dissolve(folder, entry->d_name) < 0)
			return -1;
	}
	return errno != 0 ? -1 : count;
}

int folder_empty(int folder)
{
	int own = openat(folder, ".", OPEN_FOLDER), answer;

	if (own < 0)
		return -1;
	do {
		answer = empty_once(own);
	} while (answer > 0);
	system_close(own);
	return answer;
}
