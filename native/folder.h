#ifndef FOLDER_H
#define FOLDER_H

#include <stdint.h>

/* What is in a folder at one moment, while others change it. */
struct folder_use {
	uint64_t bytes;		/* of blocks */
	uint64_t entries;
};

/*
 * Adds up what is below `folder`, which a guest may be changing: no link is
 * followed, nothing is opened but folders.  Stops at `most` entries, and
 * gives that number too where folders are nested deeper than 64.
 * 0, or -1 and errno.
 */
int folder_measure(int folder, uint64_t most, struct folder_use *use);

/*
 * Removes everything below `folder`, whatever the names, modes and depth, by
 * the rights of this process.  No link is followed.  0, or -1 and errno.
 */
int folder_empty(int folder);

#endif
