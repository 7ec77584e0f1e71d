#define _GNU_SOURCE
#include "inside.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
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
#define NET_ALL_4 UINT64_C(3)			/* bind and connect TCP */
#define SCOPE_ALL_6 UINT64_C(3)			/* abstract sockets, signals */

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

static int make_ruleset(int version)
{
	struct ruleset_attributes attributes = {
		.fs = fs_rights(version),
		.net = version >= 4 ? NET_ALL_4 : 0,
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

int landlock_confine(bool executable_tmp)
{
	int version = landlock_version();
	uint64_t all = fs_rights(version);
	uint64_t read = FS_READ_FILE | FS_READ_DIR;
	uint64_t tmp = all & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK |
			       (executable_tmp ? 0 : FS_EXECUTE));
	int ruleset, answer = -1;

	if (version == 0)
		return 0;
	ruleset = make_ruleset(version);
	if (ruleset < 0)
		return -1;
	if (allow_beneath(ruleset, "/", FS_EXECUTE | read) == 0 &&
	    allow_beneath(ruleset, "/tmp", tmp) == 0 &&
	    allow_beneath(ruleset, "/dev", read | FS_WRITE_FILE) == 0 &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		answer = version;
	system_close(ruleset);
	return answer;
}
