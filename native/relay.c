#define _GNU_SOURCE
#include "relay.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes `/proc/self/fd/N`; one digit, since only 0, 1 and 2 are asked for. */
static int reopen(int descriptor, int access)
{
	char path[] = "/proc/self/fd/0";

	path[sizeof(path) - 2] = (char)('0' + descriptor);
	return open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* A descriptor of our own for the same thing, non-blocking if possible. */
static int adopt(int descriptor, int access, bool *is_socket, bool *may_block)
{
	struct stat status;
	int own = -1;

	*is_socket = false;
	*may_block = false;
	if (fstat(descriptor, &status) < 0)
		return -1;
	*is_socket = S_ISSOCK(status.st_mode);
	if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))
		own = reopen(descriptor, access);
	if (own >= 0)
		return own;
	*may_block = !*is_socket && !S_ISREG(status.st_mode);
	return fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

void relay_to_caller(struct relay *relay, int guest, int caller, uint64_t most)
{
	relay->from = guest;
	relay->to = adopt(caller, O_WRONLY, &relay->to_is_socket,
			  &relay->to_may_block);
	relay->left = most;
}

static bool is_empty(const struct relay *relay)
{
	return relay->start == relay->end;
}

/* Of a shared socket only our direction ends; it may be so already. */
static void end(const struct relay *relay, int *descriptor)
{
	if (!relay->is_shared)
		system_close(*descriptor);
	else if (*descriptor >= 0)
		(void)shutdown(*descriptor, descriptor == &relay->to ?
			       SHUT_WR : SHUT_RD);
	*descriptor = -1;
}

/* No more can come: the reader is told as soon as it has everything. */
static void settle(struct relay *relay)
{
	if (relay->from < 0 && is_empty(relay))
		end(relay, &relay->to);
}

void relay_from_caller(struct relay *relay, int caller, int guest)
{
	bool may_block;

	relay->from = adopt(caller, O_RDONLY, &relay->from_is_socket,
			    &may_block);
	relay->to = guest;
	relay->left = UINT64_MAX;
	settle(relay);
}

void relay_between(struct relay *relay, int from, int to)
{
	relay->from = from;
	relay->to = to;
	relay->from_is_socket = true;
	relay->to_is_socket = true;
	relay->to_may_block = false;
	relay->is_over = false;
	relay->is_draining = false;
	relay->is_shared = true;
	relay->left = UINT64_MAX;
	relay->start = 0;
	relay->end = 0;
}

void relay_reset(struct relay *relay)
{
	memset(relay, 0, offsetof(struct relay, buffer));
	relay->from = -1;
	relay->to = -1;
}

bool relay_is_done(const struct relay *relay)
{
	return relay->from < 0 && relay->to < 0;
}

static bool is_for_later(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void fill(struct relay *relay)
{
	ssize_t length = relay->from_is_socket ?
		recv(relay->from, relay->buffer, RELAY_BUFFER, MSG_DONTWAIT) :
		read(relay->from, relay->buffer, RELAY_BUFFER);

	if (length < 0 && is_for_later() && !relay->is_draining)
		return;
	if (length <= 0) {
		end(relay, &relay->from);
		settle(relay);
		return;
	}
	relay->start = 0;
	relay->end = (size_t)length;
	if (relay->end > relay->left) {
		relay->is_over = true;
		relay->end = (size_t)relay->left;
	}
	relay->left -= relay->end;
}

static void flush(struct relay *relay)
{
	const unsigned char *next = relay->buffer + relay->start;
	size_t length = relay->end - relay->start;
	ssize_t written;

	if (relay->to_may_block && length > PIPE_BUF)
		length = PIPE_BUF;
	written = relay->to_is_socket ?
		send(relay->to, next, length, MSG_DONTWAIT | MSG_NOSIGNAL) :
		write(relay->to, next, length);
	if (written < 0 && is_for_later())
		return;
	if (written < 0) {
		/* Nobody reads any more: the writer gets its SIGPIPE. */
		if (errno != EPIPE && errno != ECONNRESET)
			relay->lost = errno;
		relay->start = relay->end;
		end(relay, &relay->from);
	} else {
		relay->start += (size_t)written;
	}
	settle(relay);
}

void relay_poll(const struct relay *relay, struct pollfd *rows)
{
	bool has_bytes = !is_empty(relay);

	rows[0] = (struct pollfd){ has_bytes ? -1 : relay->from, POLLIN, 0 };
	rows[1] = (struct pollfd){ has_bytes ? relay->to : -1, POLLOUT, 0 };
}

void relay_move(struct relay *relay, const struct pollfd *rows)
{
	if (rows[1].fd >= 0 && rows[1].revents != 0)
		flush(relay);
	if (rows[0].fd < 0 || rows[0].revents == 0)
		return;
	fill(relay);
	if (!is_empty(relay) && !relay->to_may_block)
		flush(relay);
}

bool relay_drain(struct relay *relay)
{
	relay->is_draining = true;
	while (relay->from >= 0 && is_empty(relay)) {
		fill(relay);
		if (!is_empty(relay) && !relay->to_may_block)
			flush(relay);
	}
	return !is_empty(relay);
}
