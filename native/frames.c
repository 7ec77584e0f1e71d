#include "frames.h"

#include <errno.h>
#include <string.h>

/* d_ino, d_off, d_reclen and d_type of a struct linux_dirent64: getdents(2). */
#define ENTRY_LENGTH_AT 16
#define ENTRY_NAME_AT 19

/* The supported machines are little-endian, as frames are. */
void frame_encode(const struct frame *frame, unsigned char *header)
{
	uint32_t kind = frame->kind;

	memcpy(header, &kind, 4);
	memcpy(header + 4, &frame->request, 4);
	memcpy(header + 8, &frame->detail, 4);
	memcpy(header + 12, &frame->name_length, 4);
	memcpy(header + 16, &frame->content_length, 8);
}

enum frame_fault frame_fault_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return FAULT_MISSING;
	case ELOOP:
		return FAULT_SYMLINK;
	case EXDEV:
		return FAULT_OUTSIDE;
	case ENXIO:	/* a socket */
		return FAULT_NOT_A_FILE;
	default:
		return FAULT_UNREADABLE;
	}
}

bool frame_path_enter(struct frame_path *path, const char *name)
{
	size_t length = strlen(name);
	size_t slash = path->length > 0 ? 1 : 0;

	if (length + slash > sizeof(path->bytes) - path->length)
		return false;
	if (slash > 0)
		path->bytes[path->length++] = '/';
	memcpy(path->bytes + path->length, name, length);
	path->length += length;
	return true;
}

const char *frame_next_name(const unsigned char *bytes, size_t length,
			    size_t *at)
{
	const unsigned char *entry = bytes + *at;
	size_t left = length - *at;
	uint16_t entry_length;

	if (left < ENTRY_NAME_AT + 1)
		return NULL;
	memcpy(&entry_length, entry + ENTRY_LENGTH_AT, sizeof(entry_length));
	if (entry_length < ENTRY_NAME_AT + 1 || entry_length > left ||
	    memchr(entry + ENTRY_NAME_AT, '\0',
		   entry_length - ENTRY_NAME_AT) == NULL)
		return NULL;
	*at += entry_length;
	return (const char *)entry + ENTRY_NAME_AT;
}
