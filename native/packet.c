#define _GNU_SOURCE
#include "packet.h"

#include "system.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

int packet_send(int link, const void *bytes, size_t length,
		const int *descriptors, size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(PACKET_DESCRIPTORS * sizeof(int))];
	} control;
	struct iovec part = { (void *)(uintptr_t)bytes, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), descriptors,
		       count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(link, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)length ? 0 : -1;
}

static void take(struct packet *packet, const struct cmsghdr *row)
{
	const size_t length = row->cmsg_len - CMSG_LEN(0);

	if (row->cmsg_level != SOL_SOCKET)
		return;
	if (row->cmsg_type == SCM_RIGHTS &&
	    length <= sizeof(packet->descriptors)) {
		memcpy(packet->descriptors, CMSG_DATA(row), length);
		packet->count = length / sizeof(int);
	}
	if (row->cmsg_type == SCM_CREDENTIALS &&
	    length == sizeof(struct ucred)) {
		struct ucred sender;

		memcpy(&sender, CMSG_DATA(row), sizeof(sender));
		packet->sender = sender.pid;
	}
}

ssize_t packet_receive(int link, void *bytes, size_t room,
		       struct packet *packet)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(PACKET_DESCRIPTORS * sizeof(int)) +
			  CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { bytes, room };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length;

	memset(&control, 0, sizeof(control));
	*packet = (struct packet){ .count = 0 };
	for (size_t i = 0; i < PACKET_DESCRIPTORS; i++)
		packet->descriptors[i] = -1;
	length = recvmsg(link, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (length < 0)
		return -1;
	for (struct cmsghdr *row = CMSG_FIRSTHDR(&message); row != NULL;
	     row = CMSG_NXTHDR(&message, row))
		take(packet, row);
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return length;
	packet_close(packet, 0);
	errno = EPROTO;
	return -1;
}

void packet_close(struct packet *packet, size_t first)
{
	for (size_t i = first; i < packet->count; i++)
		system_end(&packet->descriptors[i]);
}
