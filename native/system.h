#ifndef SYSTEM_H
#define SYSTEM_H

#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * System calls that the C library of the build machine has no wrapper for, or
 * whose wrapper does more.  Each returns what the kernel does: -1 and errno.
 */
pid_t system_clone(uint64_t flags, int *pidfd);
/* Starts the process in the control group whose directory this is. */
pid_t system_clone_into(uint64_t flags, int *pidfd, int cgroup);
int system_openat2(int directory, const char *path, uint64_t flags,
		   uint64_t resolve);
int system_open_tree(int directory, const char *path, unsigned int flags);
int system_move_mount(int from, int to);
int system_mount_setattr(int tree, uint64_t set);
int system_fsopen(const char *type);
int system_fsconfig_string(int context, const char *key, const char *value);
int system_fsconfig_create(int context);
int system_fsmount(int context, unsigned int attributes);
int system_pivot_root(const char *new_root, const char *put_old);
int system_pidfd_kill(int pidfd, int signal);
int system_pidfd_open(pid_t pid);
int system_close_range(unsigned int first);
/* In a table of descriptors that is no longer shared with anybody. */
int system_close_own(unsigned int first, unsigned int last);
int system_seccomp(unsigned int operation, unsigned int flags, void *args);

/* Closes; a descriptor of ours is closed whatever close(2) answers. */
void system_close(int descriptor);
/* The same, and -1 is in its place. */
void system_end(int *descriptor);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t system_now(void);

/* Writes all of it to a blocking descriptor.  0, or -1 and errno. */
int system_write(int descriptor, const void *bytes, size_t length);

#endif
