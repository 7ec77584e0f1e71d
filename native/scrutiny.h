#ifndef SCRUTINY_H
#define SCRUTINY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the kernel says of whoever a zygote has forked, and of the zygote. */

/*
 * Whether the process has this user and group and no other, one thread, no
 * capability, no way to new privileges, two filters, and the number `number`
 * in its own process namespace.  `*outer` gets that in the one around it.
 */
bool scrutiny_is_confined(pid_t pid, uid_t uid, pid_t number, pid_t *outer);
/*
 * What a process has that its children would share with each other: `threads`,
 * `shared-memory` or `descriptors` besides the known ones; `unreadable` if it
 * cannot be told; NULL if nothing.  `uid` is its user's.
 */
const char *scrutiny_anomaly(int pidfd, uid_t uid, const int *known, size_t count);
/*
 * Whether two processes are in the same namespaces, of every kind.  Only for
 * whoever could trace both: without that right the answer is no.
 */
bool scrutiny_is_beside(pid_t pid, pid_t other);

#endif
