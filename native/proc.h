#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What /proc says of one process. */
struct proc_use {
	uint64_t memory;	/* bytes: its own, shared without a file, tables */
	uint64_t processor;	/* ns, with children that it waited for */
	uint64_t threads;
	bool is_dead;		/* and not yet waited for */
};

typedef void proc_number(int64_t number, void *context);

/* A file or folder of a process; a descriptor, or -1 and errno. */
int proc_open(pid_t pid, const char *name, int flags);
/* The beginning of such a file as a text; its length, or -1 and errno. */
ssize_t proc_read(pid_t pid, const char *name, char *text, size_t room);

/* Each calls `tell` for every number; 0, or -1 and errno. */
int proc_children(pid_t pid, pid_t thread, proc_number *tell, void *context);
int proc_threads(pid_t pid, proc_number *tell, void *context);
int proc_processes(proc_number *tell, void *context);

/* 0, or -1 and errno. Sources: proc_pid_stat(5), proc_pid_statm(5). */
int proc_measure(pid_t pid, struct proc_use *use);
/* Source: proc_pid_fdinfo(5).  Of a process that is gone or not here -1 or 0. */
pid_t proc_number_of(int pidfd);
/* CPU time of one process so far, in nanoseconds; 0: it cannot be told. */
uint64_t proc_processor(int pidfd);
/* Whether the process is of this user, as far as it can be told. */
bool proc_is_of(pid_t pid, uid_t uid);
#endif
