#ifndef PLAN_VALUES_H
#define PLAN_VALUES_H

#include "plan.h"

/* What is left of a plan, or of one record in it. */
struct cursor {
	const unsigned char *next;
	size_t left;
};

/*
 * Each takes one value from the front: false when it is not there, and then
 * nothing else may be taken.  All integers are little-endian.
 */
bool take_bytes(struct cursor *from, void *into, size_t length);
bool take_u16(struct cursor *from, uint16_t *into);
bool take_u32(struct cursor *from, uint32_t *into);
bool take_u64(struct cursor *from, uint64_t *into);
/* A string that ends with a NUL, in place. */
bool take_string(struct cursor *from, const char **into);
/* A string that is the whole rest of its record. */
bool take_last_string(struct cursor *from, const char **into);
/* The same, absolute, of at most PLAN_PATH_LONGEST bytes. */
bool take_path(struct cursor *from, const char **into);

#endif
