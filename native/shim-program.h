#ifndef SHIM_PROGRAM_H
#define SHIM_PROGRAM_H

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers above have no call in any kernel so far, and x32's are among them. */
#define SHIM_NUMBERS 1024

struct shim_program {
	size_t length;
	struct sock_filter rows[BPF_MAXINSNS];
};

/*
 * The filter that a program gets: ours of this architecture, with or without
 * the network, and in front of it the numbers that `allowed` lists, separated
 * by commas.  NULL lists none.  A word that is no number below SHIM_NUMBERS is
 * passed over, so that a mistake allows less, not more.  `process` is the one
 * that may be sent signals.  It always fits.
 */
void shim_program_write(struct shim_program *program, const char *allowed,
			bool network, uint32_t process);

#endif
