/*
 * Any bytes as what getdents64(2) wrote, and names of any length in a path.
 * Each name is inside the bytes and ended; the walk comes to its end; a path
 * never outgrows its room and loses nothing that was in it.
 */
#include "frames.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

/* ASan sees whether the name's end is inside. */
static void check_enter(struct frame_path *path, const char *name)
{
	static struct frame_path before;
	size_t slash = path->length > 0 ? 1 : 0;
	size_t wanted = path->length + slash + strlen(name);

	before = *path;
	if (!frame_path_enter(path, name)) {
		must(wanted > FRAME_NAME_LONGEST);
		must(path->length == before.length);
		return;
	}
	must(path->length == wanted && wanted <= FRAME_NAME_LONGEST);
	must(memcmp(path->bytes, before.bytes, before.length) == 0);
	must(slash == 0 || path->bytes[before.length] == '/');
	must(memcmp(path->bytes + before.length + slash, name,
		    strlen(name)) == 0);
}

static void check_header(const struct frame_path *path)
{
	const struct frame frame = {
		.kind = FRAME_FILE, .name_length = (uint32_t)path->length,
	};
	unsigned char header[FRAME_HEADER];
	uint32_t told;

	frame_encode(&frame, header);
	memcpy(&told, header + 12, sizeof(told));
	must(told == path->length);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	static struct frame_path path;
	size_t at = 0, before = 0;
	const char *name;

	path.length = 0;
	while ((name = frame_next_name(bytes, length, &at)) != NULL) {
		const unsigned char *start = (const unsigned char *)name;

		must(at > before && at <= length);
		must(start > bytes + before && start < bytes + at);
		before = at;
		check_enter(&path, name);
	}
	must(at == before);
	check_header(&path);
	return 0;
}
