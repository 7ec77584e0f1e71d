#ifndef IMAGE_LOCK_H
#define IMAGE_LOCK_H

/*
 * Holds the image of the plan for as long as `*lock` is open: whoever removes
 * images takes the same lock alone.  0, or -1 and errno: ENOENT when the image
 * has been removed, EWOULDBLOCK while it is.  Without a path nothing is held.
 */
int image_lock_take(const char *path, int *lock);

#endif
