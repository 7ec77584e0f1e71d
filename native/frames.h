#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The files that a run leaves, as a stream of frames: a header of
 *
 *	u32 kind, u32 request, u32 detail, u32 name length, u64 content length
 *
 * in little-endian order, the name, the content.  A name is the path below
 * what was asked for, empty for that itself: any bytes but NUL, names of one
 * file between slashes.  src/run/output-frames.ts reads it.
 */
#define FRAME_HEADER 24
#define FRAME_NAME_LONGEST 4095u
#define FRAME_CONTENT_LONGEST 65536u

enum frame_kind {
	FRAME_FOLDER = 1,	/* detail: mode; before all that is in it */
	FRAME_FILE,		/* detail: mode; then FRAME_DATA, FRAME_END */
	FRAME_DATA,		/* content of the last FRAME_FILE */
	FRAME_END,		/* the last FRAME_FILE is whole */
	FRAME_FAULT,		/* detail: enum frame_fault; of the last
				   FRAME_FILE when that has not ended */
	FRAME_DONE,		/* last; without it the stream was cut */
};

enum frame_fault {
	FAULT_MISSING = 1,
	FAULT_SYMLINK,
	FAULT_NOT_A_FILE,	/* FIFO, socket, device */
	FAULT_TOO_LARGE,	/* for what is left of the bytes */
	FAULT_TOO_MANY,		/* for what is left of the entries */
	FAULT_TOO_DEEP,
	FAULT_OUTSIDE,		/* not beneath /tmp */
	FAULT_UNREADABLE,
};

struct frame {
	enum frame_kind kind;
	uint32_t request;
	uint32_t detail;
	uint32_t name_length;
	uint64_t content_length;
};

void frame_encode(const struct frame *frame, unsigned char *header);

/* What became of an openat2(2) beneath /tmp that failed with `error`. */
enum frame_fault frame_fault_of(int error);

/* Where a walk is, below what was asked for. */
struct frame_path {
	size_t length;
	char bytes[FRAME_NAME_LONGEST];	/* without a NUL */
};

/* Appends `/name`; false, and unchanged, when there is no room. */
bool frame_path_enter(struct frame_path *path, const char *name);

/*
 * The next name in `length` bytes that getdents64(2) wrote, from `*at` on,
 * which is moved behind it; NULL at the end, or where there is no whole entry.
 */
const char *frame_next_name(const unsigned char *bytes, size_t length,
			    size_t *at);

#endif
