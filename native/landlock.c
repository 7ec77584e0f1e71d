#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Rights by the ABI version that brought them.  Newer than the build machine's
 * header, hence numbers; source: include/uapi/linux/landlock.h of Linux 6.15.
 */
#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_MAKE_CHAR (UINT64_C(1) << 6)
#define FS_MAKE_BLOCK (UINT64_C(1) << 11)
#define FS_ALL_1 ((UINT64_C(1) << 13) - 1)
#define FS_ALL_2 ((UINT64_C(1) << 14) - 1)	/* and REFER */
#define FS_ALL_3 ((UINT64_C(1) << 15) - 1)	/* and TRUNCATE */
#define FS_ALL_5 ((UINT64_C(1) << 16) - 1)	/* and IOCTL_DEV */
#define NET_BIND_TCP UINT64_C(1)
#define NET_CONNECT_TCP UINT64_C(2)		/* both of ABI 4 */
#define SCOPE_ALL_6 UINT64_C(3)			/* abstract sockets, signals */

#define RULE_NET_PORT 2

struct net_port_attributes {
	uint64_t rights;
	uint64_t port;
};

struct ruleset_attributes {
	uint64_t fs;
	uint64_t net;
	uint64_t scope;
};

int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

static uint64_t fs_rights(int version)
{
	if (version >= 5)
		return FS_ALL_5;
	if (version >= 3)
		return FS_ALL_3;
	return version == 2 ? FS_ALL_2 : FS_ALL_1;
}

/* In the host's network a program connects with whom it wants to. */
static uint64_t net_rights(int version, const struct plan *plan)
{
	if (version < 4)
		return 0;
	return plan->is_host_network ?
		NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
}

static int make_ruleset(int version, const struct plan *plan, uint64_t fs)
{
	struct ruleset_attributes attributes = {
		.fs = fs,
		.net = net_rights(version, plan),
		.scope = version >= 6 ? SCOPE_ALL_6 : 0,
	};
	/* An older kernel refuses a structure that it does not know whole. */
	size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;

	return (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
}

static int allow_beneath(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr attributes = {
		.allowed_access = rights,
	};
	long answer;

	attributes.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (attributes.parent_fd < 0)
		return -1;
	answer = syscall(SYS_landlock_add_rule, ruleset,
			 LANDLOCK_RULE_PATH_BENEATH, &attributes, 0);
	system_close(attributes.parent_fd);
	return (int)answer;
}

/* Where the root is the cell's own. */
static int allow_own_root(int ruleset, uint64_t tmp)
{
	uint64_t read = FS_READ_FILE | FS_READ_DIR;

	if (allow_beneath(ruleset, "/", FS_EXECUTE | read) < 0 ||
	    allow_beneath(ruleset, "/tmp", tmp) < 0)
		return -1;
	if (allow_beneath(ruleset, "/dev", read | FS_WRITE_FILE) < 0)
		return -1;
	return allow_beneath(ruleset, "/dev/shm", tmp & ~FS_EXECUTE);
}

/* How names are looked up in the host's network. */
static int allow_names(int ruleset)
{
	static const char *const files[] = {
		"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (allow_beneath(ruleset, files[i], FS_READ_FILE) < 0 &&
		    errno != ENOENT)
			return -1;
	}
	return 0;
}

/* Tier D: the image, the run's own folder, and devices by name. */
static int allow_parts(int ruleset, const struct inside *inside, uint64_t tmp)
{
	uint64_t read = FS_READ_FILE | FS_READ_DIR;
	char path[4096 + 16];

	if (allow_beneath(ruleset, inside->plan->root, FS_EXECUTE | read) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/program", inside->place);
	if (allow_beneath(ruleset, path, read) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/tmp", inside->place);
	if (allow_beneath(ruleset, path, tmp) < 0)
		return -1;
	if (inside->plan->is_host_network && allow_names(ruleset) < 0)
		return -1;
	for (size_t i = 0; i < INSIDE_DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/%s",
			 inside_devices[i].name);
		if (allow_beneath(ruleset, path,
				  FS_READ_FILE | FS_WRITE_FILE) < 0 &&
		    errno != ENOENT)
			return -1;
	}
	return 0;
}

/* By its port alone: the rule knows no addresses. */
static int allow_proxy(int ruleset, int version, const struct plan *plan)
{
	struct net_port_attributes attributes = {
		.rights = NET_CONNECT_TCP, .port = plan->proxy_port,
	};

	if (version < 4 || plan->proxy_port == 0)
		return 0;
	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT,
			    &attributes, 0);
}

/* A ruleset for this cell; -1 and errno. */
static int fill_ruleset(const struct inside *inside, int version)
{
	uint64_t tmp = fs_rights(version) &
		       ~(FS_MAKE_CHAR | FS_MAKE_BLOCK |
			 (inside->plan->executable_tmp ? 0 : FS_EXECUTE));
	int ruleset = make_ruleset(version, inside->plan, fs_rights(version));
	int answer;

	if (ruleset < 0)
		return -1;
	answer = inside->plan->tier == TIER_D ?
		allow_parts(ruleset, inside, tmp) :
		allow_own_root(ruleset, tmp);
	if (answer == 0)
		answer = allow_proxy(ruleset, version, inside->plan);
	if (answer == 0)
		return ruleset;
	system_close(ruleset);
	return -1;
}

int landlock_prepare(const struct inside *inside, int *ruleset)
{
	int version = landlock_version();

	*ruleset = -1;
	if (version == 0)
		return 0;
	*ruleset = fill_ruleset(inside, version);
	return *ruleset < 0 ? -1 : 0;
}

static int restrict_self(int ruleset)
{
	long answer = syscall(SYS_landlock_restrict_self, ruleset, 0);

	system_close(ruleset);
	return (int)answer;
}

int landlock_confine(const struct inside *inside)
{
	int version = landlock_version(), ruleset;

	if (version == 0 && inside->plan->tier != TIER_D)
		return 0;
	/* Fails without Landlock: then nothing would keep a cell of tier D. */
	ruleset = fill_ruleset(inside, version);
	if (ruleset < 0)
		return -1;
	return restrict_self(ruleset) < 0 ? -1 : version;
}

int landlock_confine_network(struct inside *inside)
{
	int version = landlock_version(), ruleset;

	if (net_rights(version, inside->plan) == 0)
		return 0;
	ruleset = make_ruleset(version, inside->plan, 0);
	return ruleset < 0 ? -1 : restrict_self(ruleset);
}
