#ifndef PLAN_H
#define PLAN_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A launch plan is 8 bytes of magic and then records without padding:
 *
 *	u16 tag, u16 flags, u32 length, length bytes
 *
 * All integers are little-endian.  A string is its bytes and one NUL, which
 * the length counts.  src/run/launch-plan.ts writes it.
 */
#define PLAN_MAGIC "RCELLAR\x01"
#define PLAN_MAGIC_LENGTH 8

#define PLAN_LARGEST (64u << 20)
#define PLAN_STRINGS 1024
#define PLAN_PATH_LONGEST 4095
#define PLAN_RLIMITS 16
#define PLAN_DIRECTORIES 8
#define PLAN_SETTINGS 32
#define PLAN_READINGS 16
#define PLAN_IDENTITIES 65536u
/* Leaves room for what is added to it in a path of 4095 bytes. */
#define PLAN_PLACE_LONGEST 3800u
#define PLAN_FILES 4096
#define PLAN_OUTPUTS 64

enum plan_tag {
	PLAN_ROOT = 1,		/* string, absolute */
	PLAN_ARGUMENT,		/* string; repeated, the first is absolute */
	PLAN_VARIABLE,		/* string NAME=VALUE; repeated */
	PLAN_DIRECTORY,		/* string, absolute in the cell */
	PLAN_HOSTNAME,		/* string, 1..64 bytes */
	PLAN_IDENTITY,		/* u32 first uid, u32 count, string lock file */
	PLAN_PROGRAM,		/* string name, rest: content */
	PLAN_LIMITS,		/* 6 u64, see struct plan */
	PLAN_RLIMIT,		/* u32 resource, u64 soft, u64 hard; repeated */
	PLAN_FILTER,		/* struct sock_filter[] */
	PLAN_CGROUP_DIRECTORY,	/* string, absolute; repeated */
	PLAN_CGROUP_SETTING,	/* string file, string value; repeated */
	PLAN_CGROUP_READING,	/* string label, string file; repeated */
	PLAN_CGROUP_CPU,	/* u32 unit, string file */
	PLAN_CGROUP_JOIN,	/* string file, written `0` to join; repeated */
	PLAN_CGROUP_INTO,	/* string, a version 2 directory to start in */
	PLAN_TRACE,		/* empty: let calls beyond the filter through */
	PLAN_TIER = 18,		/* u32 tier; C and D: string, see struct plan */
	PLAN_WATCH = 19,	/* u64 bytes of memory, u64 processes */
	PLAN_FILE = 20,		/* u32 mode, u64 size, string folder, string
				   name; repeated, a folder before what is in
				   it; contents: inputs.h */
	PLAN_OUTPUT = 21,	/* u64 most bytes, u32 most entries, strings */
	PLAN_PROC = 22,		/* empty: mount /proc */
	PLAN_PARK = 23,		/* empty: wait for a job (park.h) */
	PLAN_PROXY = 24,	/* u32 port, string socket or empty */
	PLAN_HOST_NETWORK,	/* string resolv.conf, string hosts */
	PLAN_ZYGOTE,		/* string socket: zygote.h; with PLAN_PARK */
	PLAN_BERTH,		/* string socket, string id: berth.h; likewise */
	PLAN_IMAGE_LOCK,	/* string, absolute: image-lock.h */
	PLAN_TAGS
};

/* What the host lets a cell be: the tiers of src/run/host-tier.ts. */
enum tier {
	TIER_A = 1,	/* namespaces and mounts, by root */
	TIER_B,		/* the same in a user namespace */
	TIER_C,		/* chroot and a user id of its own */
	TIER_D,		/* Landlock */
};

/* As a set, for what holds in some of them. */
#define TIERS(tier) (1u << (tier))
#define TIERS_MOUNTED (TIERS(TIER_A) | TIERS(TIER_B))
#define TIERS_PLACED (TIERS(TIER_C) | TIERS(TIER_D))
#define TIERS_ALL (TIERS_MOUNTED | TIERS_PLACED)

/*
 * In a filter, stands for the process number of the main program, which is
 * known when it is loaded.  More than the 2^22 that the kernel hands out.
 */
#define PLAN_PROCESS 0x7ffffffeu

/* Flag of a PLAN_CGROUP_SETTING: that the file is missing is no fault. */
#define PLAN_OPTIONAL 1u
/* Flag of PLAN_LIMITS: what is written to /tmp may be executed, for builds. */
#define PLAN_EXECUTABLE_TMP 2u
/* Flag of PLAN_FILE: it is a folder. */
#define PLAN_FOLDER 4u

struct plan_rlimit {
	uint32_t resource;
	uint64_t soft;
	uint64_t hard;
};

struct plan_setting {
	const char *file;
	const char *value;
	bool optional;
};

struct plan_reading {
	const char *label;
	const char *file;
};

/* Paths are relative to the cell's /tmp, `.` being /tmp itself. */
struct plan_file {
	const char *folder;
	const char *name;
	uint64_t size;
	uint32_t mode;
	bool is_folder;
};

/* Everything points into the decoded bytes, which must outlive it. */
struct plan {
	enum tier tier;
	/*
	 * C: the folder of slots, each a root of its own by number.  D: the
	 * folder to make for this run.  NULL in A and B.
	 */
	const char *place;
	const char *root;
	const char *image_lock;		/* NULL: nobody removes the root */
	const char *directory;
	const char *hostname;
	const char *arguments[PLAN_STRINGS + 1];	/* NULL at the end */
	const char *variables[PLAN_STRINGS + 1];	/* NULL at the end */
	size_t argument_count;
	size_t variable_count;
	const char *program_name;			/* NULL: none */
	const unsigned char *program;
	size_t program_length;
	uint32_t uid_first;
	uint32_t uid_count;
	const char *uid_lock;
	uint64_t wall_ms;
	uint64_t cpu_ms;
	uint64_t output_bytes;
	uint64_t tmp_bytes;
	uint64_t tmp_inodes;
	uint64_t denials;
	bool executable_tmp;
	struct plan_rlimit rlimits[PLAN_RLIMITS];
	size_t rlimit_count;
	struct sock_filter filter[BPF_MAXINSNS];
	size_t filter_length;				/* instructions */
	const char *directories[PLAN_DIRECTORIES];
	size_t directory_count;
	struct plan_setting settings[PLAN_SETTINGS];
	size_t setting_count;
	struct plan_reading readings[PLAN_READINGS];
	size_t reading_count;
	const char *joins[PLAN_DIRECTORIES];
	size_t join_count;
	const char *into;				/* NULL: none */
	const char *cpu_file;		/* NULL: there are no control groups */
	bool cpu_is_micros;		/* `usage_usec N`, not only ns */
	bool is_traced;
	/* Without control groups the keeper measures; else both are zero. */
	uint64_t watch_memory;
	uint64_t watch_processes;
	size_t file_count;
	const char *outputs[PLAN_OUTPUTS];
	size_t output_count;
	uint64_t output_most_bytes;
	uint32_t output_most_entries;
	bool has_proc;
	bool is_parked;
	bool is_zygote;
	const char *zygote_socket;	/* its berths', to be removed */
	const char *berth_socket;	/* NULL: it is no berth */
	const char *berth_id;
	uint16_t proxy_port;		/* of 127.0.0.1 in the cell; 0: none */
	const char *proxy_socket;	/* NULL: the proxy listens itself */
	bool is_host_network;
	const char *resolver;		/* contents of files in /etc */
	const char *hosts;
	/* Last: only what is counted is ever touched. */
	struct plan_file files[PLAN_FILES];
};

enum plan_fault {
	PLAN_OK,
	PLAN_BAD_MAGIC,
	PLAN_BAD_RECORD,	/* unknown tag or flags, or too long */
	PLAN_BAD_VALUE,		/* of the wrong form or out of its range */
	PLAN_TOO_MANY,		/* records of one kind */
	PLAN_INCOMPLETE,	/* a record that every plan has is missing */
};

/*
 * Decodes `length` bytes.  No side effects; `*plan` is undefined unless the
 * answer is PLAN_OK.
 */
enum plan_fault plan_decode(const unsigned char *bytes, size_t length,
			    struct plan *plan);

/*
 * The same for a job (park.h), in which records may be missing that its cell
 * was made by: it has a program, arguments and limits.
 */
enum plan_fault plan_decode_job(const unsigned char *bytes, size_t length,
				struct plan *plan);

#endif
