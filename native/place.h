#ifndef PLACE_H
#define PLACE_H

#include "plan.h"
#include "steps.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where a cell lives that can have no mounts of its own.
 *
 * Tier C: a slot, one for each user id: a root that only its cells enter, by
 *	chroot(2).  Its files are those of the image, its /tmp is its own.
 * Tier D: a folder that is made for one run, with `tmp` and `program` in it;
 *	the root is the image's, and Landlock has to keep the cell there.
 */
struct place {
	char path[4096];	/* the slot, or the run's folder */
	int folder;
	int tmp;		/* what the guest may write to */
	int run;		/* where the folder of the program is */
	uid_t uid;		/* whose files the guest's are */
	bool has_devices;
};

/*
 * Prepares it for `uid`; C: the slot `index`.  0, or -1 with errno and the
 * step that failed.
 */
int place_prepare(struct place *place, const struct plan *plan, uid_t uid,
		  uint32_t index, enum step *step);

/*
 * Removes what the run has left, when all of it is dead, within `ms`.
 * Whether nothing is left.
 */
bool place_clean(struct place *place, const struct plan *plan, int ms);

/* Tier D: the same for the first process of a cell, whose keeper was killed. */
bool place_abandon(const char *path);

#endif
