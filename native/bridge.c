#define _GNU_SOURCE
#include "bridge.h"

#include "system.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void bridge_start(struct bridge *bridge, int listener, const char *socket)
{
	bridge->listener = listener;
	bridge->socket = socket;
	for (size_t i = 0; i < BRIDGE_CONNECTIONS; i++)
		bridge->rows[i].guest = -1;
}

static struct bridged *free_row(struct bridge *bridge)
{
	for (size_t i = 0; i < BRIDGE_CONNECTIONS; i++) {
		if (bridge->rows[i].guest < 0)
			return &bridge->rows[i];
	}
	return NULL;
}

static bool has_room(const struct bridge *bridge)
{
	for (size_t i = 0; i < BRIDGE_CONNECTIONS; i++) {
		if (bridge->rows[i].guest < 0)
			return true;
	}
	return false;
}

/* plan.c has seen to it that the path fits.  -1 when nobody listens. */
static int connect_proxy(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int proxy = socket(AF_UNIX,
			   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (proxy < 0)
		return -1;
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (connect(proxy, (const struct sockaddr *)&address,
		    sizeof(address)) < 0) {
		system_close(proxy);
		return -1;
	}
	return proxy;
}

/* Without a proxy the guest's connection just ends, as by a dead server. */
static void accept_one(struct bridge *bridge)
{
	struct bridged *row = free_row(bridge);
	int guest, proxy;

	if (row == NULL)
		return;
	guest = accept4(bridge->listener, NULL, NULL,
			SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (guest < 0)
		return;	/* it has gone already, or there is no descriptor */
	proxy = connect_proxy(bridge->socket);
	if (proxy < 0) {
		system_close(guest);
		return;
	}
	row->guest = guest;
	row->proxy = proxy;
	relay_between(&row->out, guest, proxy);
	relay_between(&row->back, proxy, guest);
}

static void forget(struct bridged *row)
{
	system_close(row->guest);
	system_close(row->proxy);
	row->guest = -1;
	row->proxy = -1;
}

/* Four rows each: whether the listener is asked depends on there being room. */
void bridge_poll(const struct bridge *bridge, struct pollfd *rows)
{
	for (size_t i = 0; i < BRIDGE_ROWS; i++)
		rows[i] = (struct pollfd){ -1, 0, 0 };
	if (bridge->listener < 0)
		return;
	if (has_room(bridge))
		rows[0] = (struct pollfd){ bridge->listener, POLLIN, 0 };
	for (size_t i = 0; i < BRIDGE_CONNECTIONS; i++) {
		const struct bridged *row = &bridge->rows[i];

		if (row->guest < 0)
			continue;
		relay_poll(&row->out, &rows[1 + 4 * i]);
		relay_poll(&row->back, &rows[3 + 4 * i]);
	}
}

void bridge_move(struct bridge *bridge, const struct pollfd *rows)
{
	if (bridge->listener < 0)
		return;
	for (size_t i = 0; i < BRIDGE_CONNECTIONS; i++) {
		struct bridged *row = &bridge->rows[i];

		if (row->guest < 0)
			continue;
		relay_move(&row->out, &rows[1 + 4 * i]);
		relay_move(&row->back, &rows[3 + 4 * i]);
		if (relay_is_done(&row->out) && relay_is_done(&row->back))
			forget(row);
	}
	if (rows[0].fd >= 0 && rows[0].revents != 0)
		accept_one(bridge);
}

void bridge_end(struct bridge *bridge)
{
	if (bridge->listener < 0)
		return;
	for (size_t i = 0; i < BRIDGE_CONNECTIONS; i++)
		forget(&bridge->rows[i]);
	system_end(&bridge->listener);
}

/* Both may be gone already, and a folder with more in it is not the proxy's. */
void bridge_remove(const char *socket)
{
	struct sockaddr_un room = { .sun_family = AF_UNIX };
	char *end;

	strncpy(room.sun_path, socket, sizeof(room.sun_path) - 1);
	end = strrchr(room.sun_path, '/');
	if (unlink(socket) < 0 || end == NULL || end == room.sun_path)
		return;
	*end = '\0';
	(void)rmdir(room.sun_path);
}
