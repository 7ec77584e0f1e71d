#ifndef DENIALS_H
#define DENIALS_H

#include <stddef.h>
#include <stdint.h>

#define DENIALS_ROWS 512

struct denial {
	uint32_t arch;	/* AUDIT_ARCH_* */
	int32_t nr;
	uint64_t count;
};

/* Distinct calls beyond the rows are counted in `total` only. */
struct denials {
	struct denial rows[DENIALS_ROWS];
	size_t count;
	uint64_t total;
};

void denials_add(struct denials *denials, uint32_t arch, int32_t nr);

#endif
