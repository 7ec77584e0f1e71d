#ifndef RELAY_H
#define RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BUFFER 65536

/*
 * Moves bytes from one descriptor to another without ever blocking, so that
 * neither a guest nor a slow reader can keep the keeper from its duties.
 */
struct relay {
	int from;		/* -1: ended */
	int to;			/* -1: ended */
	bool from_is_socket;
	bool to_is_socket;
	bool to_may_block;	/* then at most PIPE_BUF bytes, after POLLOUT */
	bool is_over;		/* more than `left` bytes arrived */
	bool is_draining;	/* an empty source has ended */
	int lost;		/* why what came could not be written; or 0 */
	bool is_shared;		/* others close the descriptors */
	uint64_t left;		/* bytes that may still pass */
	size_t start;
	size_t end;
	unsigned char buffer[RELAY_BUFFER];
};

/*
 * The caller's descriptor is reopened where that makes it non-blocking
 * without changing it for the others who have it.
 */
void relay_from_caller(struct relay *relay, int caller, int guest);
void relay_to_caller(struct relay *relay, int guest, int caller,
		     uint64_t most);

/*
 * One direction between two sockets that the caller closes when both are done;
 * the end of one is passed on by shutdown(2).
 */
void relay_between(struct relay *relay, int from, int to);
/* Moves nothing yet. */
void relay_reset(struct relay *relay);
/* Nothing will move any more. */
bool relay_is_done(const struct relay *relay);

/* Says what to poll for: two rows, -1 in a row that waits for nothing. */
void relay_poll(const struct relay *relay, struct pollfd *rows);
/* Moves what those two rows say can be moved. */
void relay_move(struct relay *relay, const struct pollfd *rows);
/*
 * For when everybody who could write is dead: moves what can be moved now.
 * Whether there is still something to wait for.
 */
bool relay_drain(struct relay *relay);

#endif
