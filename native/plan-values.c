#include "plan-values.h"

#include <string.h>

bool take_bytes(struct cursor *from, void *into, size_t length)
{
	if (from->left < length)
		return false;
	memcpy(into, from->next, length);
	from->next += length;
	from->left -= length;
	return true;
}

/* The supported machines are little-endian, as the plan is. */
bool take_u16(struct cursor *from, uint16_t *into)
{
	return take_bytes(from, into, sizeof(*into));
}

bool take_u32(struct cursor *from, uint32_t *into)
{
	return take_bytes(from, into, sizeof(*into));
}

bool take_u64(struct cursor *from, uint64_t *into)
{
	return take_bytes(from, into, sizeof(*into));
}

bool take_string(struct cursor *from, const char **into)
{
	const unsigned char *end;

	if (from->left == 0)
		return false;
	end = memchr(from->next, '\0', from->left);
	if (end == NULL)
		return false;
	*into = (const char *)from->next;
	from->left -= (size_t)(end - from->next) + 1;
	from->next = end + 1;
	return true;
}

bool take_last_string(struct cursor *from, const char **into)
{
	return take_string(from, into) && from->left == 0;
}

bool take_path(struct cursor *from, const char **into)
{
	return take_last_string(from, into) && (*into)[0] == '/' &&
	       strlen(*into) <= PLAN_PATH_LONGEST;
}
