#ifndef PACKET_H
#define PACKET_H

#include <stddef.h>
#include <sys/types.h>

#define PACKET_DESCRIPTORS 16

/* What comes with the bytes of a packet. */
struct packet {
	int descriptors[PACKET_DESCRIPTORS];	/* -1 behind the last */
	size_t count;
	pid_t sender;	/* by the kernel; 0 without SO_PASSCRED */
};

/* Without waiting.  0, or -1 and errno. */
int packet_send(int link, const void *bytes, size_t length,
		const int *descriptors, size_t count);
/*
 * Without waiting.  The length; -1 and errno; or -1 and EPROTO for what did
 * not fit, of which nothing is kept.
 */
ssize_t packet_receive(int link, void *bytes, size_t room,
		       struct packet *packet);
/* Closes what came with it from `first` on. */
void packet_close(struct packet *packet, size_t first);

#endif
