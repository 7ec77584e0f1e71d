#ifndef TRACES_H
#define TRACES_H

#include <stddef.h>
#include <stdint.h>

#define TRACES_ROWS 128
/* Different arguments that are kept of one call. */
#define TRACES_SAMPLES 8
/* Arguments that tell what a call is for; of all our rules none looks further. */
#define TRACES_ARGUMENTS 5

struct trace {
	uint32_t arch;	/* AUDIT_ARCH_* */
	int32_t nr;
	uint64_t arguments[TRACES_ARGUMENTS];
	uint64_t count;
};

/*
 * System calls beyond the profile, which a traced run is let do.  What has no
 * room is counted in `lost`: calls of yet other arguments.
 */
struct traces {
	struct trace rows[TRACES_ROWS];
	size_t count;
	uint64_t lost;
};

void traces_add(struct traces *traces, uint32_t arch, int32_t nr,
		const uint64_t *arguments);

#endif
