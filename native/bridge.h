#ifndef BRIDGE_H
#define BRIDGE_H

#include "relay.h"

/* src/run/egress-proxy.ts takes as many. */
#define BRIDGE_CONNECTIONS 16
#define BRIDGE_ROWS (1 + 4 * BRIDGE_CONNECTIONS)

/* One connection of a guest, and the one to the proxy that is made for it. */
struct bridged {
	int guest;		/* -1: this row is free */
	int proxy;
	struct relay out, back;
};

/*
 * Connects what guests send to a listener in their empty network with a proxy
 * outside.  It looks at no byte: who may be reached is the proxy's to say.
 */
struct bridge {
	int listener;		/* -1: there is none */
	const char *socket;	/* of the proxy */
	struct bridged rows[BRIDGE_CONNECTIONS];
};

/* Takes the listener over.  Without one, the others do nothing. */
void bridge_start(struct bridge *bridge, int listener, const char *socket);
/* Says what to poll for: BRIDGE_ROWS rows, of which the idle ones have -1. */
void bridge_poll(const struct bridge *bridge, struct pollfd *rows);
/* Moves what those rows say can be moved. */
void bridge_move(struct bridge *bridge, const struct pollfd *rows);
/* Ends every connection: whom they were for is dead. */
void bridge_end(struct bridge *bridge);
/* Removes a proxy's socket and its folder: who made them may be dead, too. */
void bridge_remove(const char *socket);

#endif
