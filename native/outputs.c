#define _GNU_SOURCE
#include "frames.h"
#include "keeper.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH 64
#define ENTRIES_BUFFER 2048

/* A folder that is being read. */
struct level {
	int folder;
	size_t path_length;
	size_t at;
	size_t end;
	unsigned char entries[ENTRIES_BUFFER];
};

/* Everything in the cell is dead: what is there does not change any more. */
struct taking {
	const struct keeper *keeper;
	uint32_t request;
	uint64_t bytes_left;
	uint32_t entries_left;
	bool is_cut;		/* nobody reads, or the run was cancelled */
	struct frame_path path;
	size_t depth;
	struct level levels[DEPTH];
	unsigned char content[FRAME_CONTENT_LONGEST];
};

static struct taking all;

/* Whether the reader wants more; a slow one may take its time. */
static bool await_reader(const struct keeper *keeper)
{
	struct pollfd rows[] = {
		{ OUTPUTS_DESCRIPTOR, POLLOUT, 0 },
		{ STATUS_DESCRIPTOR, keeper->status_events, 0 },
		{ keeper->signals, POLLIN, 0 },
	};

	while (poll(rows, 3, -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return rows[1].revents == 0 && rows[2].revents == 0;
}

static void send_bytes(struct taking *taking, const void *bytes, size_t length)
{
	const unsigned char *next = bytes;

	while (length > 0 && !taking->is_cut) {
		ssize_t written = write(OUTPUTS_DESCRIPTOR, next, length);

		if (written >= 0) {
			next += written;
			length -= (size_t)written;
		} else if (errno == EAGAIN) {
			taking->is_cut = !await_reader(taking->keeper);
		} else if (errno != EINTR) {
			taking->is_cut = true;
		}
	}
}

static void send_frame(struct taking *taking, enum frame_kind kind,
		       uint32_t detail, size_t content_length)
{
	bool is_data = kind == FRAME_DATA;
	const struct frame frame = {
		.kind = kind,
		.request = taking->request,
		.detail = detail,
		.name_length = is_data ? 0 : (uint32_t)taking->path.length,
		.content_length = content_length,
	};
	unsigned char header[FRAME_HEADER];

	frame_encode(&frame, header);
	send_bytes(taking, header, sizeof(header));
	send_bytes(taking, taking->path.bytes, frame.name_length);
	send_bytes(taking, taking->content, content_length);
}

static void send_fault(struct taking *taking, enum frame_fault fault)
{
	send_frame(taking, FRAME_FAULT, fault, 0);
}

/*
 * By one name in a folder, or by a path from /tmp.  Not blocking and without
 * side effects, whatever it is.
 */
static int open_beneath(int folder, const char *name, uint64_t flags)
{
	return system_openat2(folder, name, flags | O_NOFOLLOW | O_CLOEXEC,
			      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

static void send_content(struct taking *taking, int file)
{
	while (!taking->is_cut) {
		ssize_t length = read(file, taking->content,
				      sizeof(taking->content));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			send_fault(taking, FAULT_UNREADABLE);
			return;
		}
		if ((uint64_t)length > taking->bytes_left) {
			send_fault(taking, FAULT_TOO_LARGE);
			return;
		}
		if (length == 0) {
			send_frame(taking, FRAME_END, 0, 0);
			return;
		}
		taking->bytes_left -= (uint64_t)length;
		send_frame(taking, FRAME_DATA, 0, (size_t)length);
	}
}

/* What is too large by its own word is not read first. */
static void take_file(struct taking *taking, int folder, const char *name,
		      const struct stat *status)
{
	int file;

	if ((uint64_t)status->st_size > taking->bytes_left) {
		send_fault(taking, FAULT_TOO_LARGE);
		return;
	}
	file = open_beneath(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (file < 0) {
		send_fault(taking, frame_fault_of(errno));
		return;
	}
	send_frame(taking, FRAME_FILE, status->st_mode & 07777, 0);
	send_content(taking, file);
	system_close(file);
}

static void enter_folder(struct taking *taking, int folder, const char *name,
			 const struct stat *status)
{
	struct level *level = &taking->levels[taking->depth];
	int inner;

	if (taking->depth == DEPTH) {
		send_fault(taking, FAULT_TOO_DEEP);
		return;
	}
	inner = open_beneath(folder, name, O_RDONLY | O_DIRECTORY);
	if (inner < 0) {
		send_fault(taking, frame_fault_of(errno));
		return;
	}
	send_frame(taking, FRAME_FOLDER, status->st_mode & 07777, 0);
	level->folder = inner;
	level->path_length = taking->path.length;
	level->at = 0;
	level->end = 0;
	taking->depth++;
}

static void take_entry(struct taking *taking, int folder, const char *name)
{
	struct stat status;
	int entry = open_beneath(folder, name, O_PATH);

	if (entry < 0 || fstat(entry, &status) < 0)
		send_fault(taking, frame_fault_of(errno));
	else if (S_ISREG(status.st_mode))
		take_file(taking, folder, name, &status);
	else if (S_ISDIR(status.st_mode))
		enter_folder(taking, folder, name, &status);
	else
		send_fault(taking, S_ISLNK(status.st_mode) ?
			   FAULT_SYMLINK : FAULT_NOT_A_FILE);
	system_close(entry);
}

static void leave_folder(struct taking *taking)
{
	taking->depth--;
	system_close(taking->levels[taking->depth].folder);
}

/* The next name in the folder; NULL when there is none, and it was left. */
static const char *next_name(struct taking *taking, struct level *level)
{
	const char *name = frame_next_name(level->entries, level->end,
					   &level->at);
	long length;

	if (name != NULL)
		return name;
	length = syscall(SYS_getdents64, level->folder, level->entries,
			 sizeof(level->entries));
	if (length > 0) {
		level->at = 0;
		level->end = (size_t)length;
		return frame_next_name(level->entries, level->end, &level->at);
	}
	if (length < 0)
		send_fault(taking, FAULT_UNREADABLE);
	leave_folder(taking);
	return NULL;
}

/* Whether one more may be taken; what is asked for ends with the first no. */
static bool count_entry(struct taking *taking)
{
	if (taking->entries_left > 0) {
		taking->entries_left--;
		return true;
	}
	taking->path.length = 0;
	send_fault(taking, FAULT_TOO_MANY);
	while (taking->depth > 0)
		leave_folder(taking);
	return false;
}

static void walk_on(struct taking *taking)
{
	struct level *level = &taking->levels[taking->depth - 1];
	const char *name;

	taking->path.length = level->path_length;
	name = next_name(taking, level);
	if (name == NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    !count_entry(taking))
		return;
	if (frame_path_enter(&taking->path, name))
		take_entry(taking, level->folder, name);
	else
		send_fault(taking, FAULT_TOO_DEEP);
}

static void take_request(struct taking *taking, const char *path)
{
	taking->path.length = 0;
	if (count_entry(taking))
		take_entry(taking, taking->keeper->tmp, path);
	while (taking->depth > 0 && !taking->is_cut)
		walk_on(taking);
	while (taking->depth > 0)
		leave_folder(taking);
}

static void take_all(const struct keeper *keeper)
{
	const struct plan *plan = keeper->plan;
	int flags = fcntl(OUTPUTS_DESCRIPTOR, F_GETFL);

	if (flags < 0 ||
	    fcntl(OUTPUTS_DESCRIPTOR, F_SETFL, flags | O_NONBLOCK) < 0)
		return;
	all.keeper = keeper;
	all.bytes_left = plan->output_most_bytes;
	all.entries_left = plan->output_most_entries;
	for (size_t i = 0; i < plan->output_count && !all.is_cut; i++) {
		all.request = (uint32_t)i;
		take_request(&all, plan->outputs[i]);
	}
	all.path.length = 0;
	send_frame(&all, FRAME_DONE, 0, 0);
}

void outputs_send(struct keeper *keeper)
{
	if (keeper->plan->output_count > 0 && keeper->tmp >= 0 &&
	    keeper->is_cell_dead && keeper->failed_step == STEP_NONE &&
	    keeper->cause != CAUSE_CANCELLED)
		take_all(keeper);
	system_close(OUTPUTS_DESCRIPTOR);
	system_end(&keeper->tmp);
}
