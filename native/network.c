#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define BACKLOG 16

/* A new network has a loopback device that is down: 127.0.0.1 is nowhere. */
static int raise_loopback(int any)
{
	struct ifreq request = { .ifr_flags = IFF_UP };

	strcpy(request.ifr_name, "lo");
	return ioctl(any, SIOCSIFFLAGS, &request);
}

/*
 * The listener belongs to the cell's network for as long as it lives, whoever
 * has the descriptor: the keeper takes from it what only guests can send.
 */
int network_listen(struct inside *inside)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(inside->plan->proxy_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	inside->proxy = -1;
	if (inside->plan->proxy_socket == NULL)
		return 0;
	inside->proxy = socket(AF_INET,
			       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (inside->proxy < 0 || raise_loopback(inside->proxy) < 0 ||
	    bind(inside->proxy, (const struct sockaddr *)&address,
		 sizeof(address)) < 0)
		return -1;
	return listen(inside->proxy, BACKLOG);
}
