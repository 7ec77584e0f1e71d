#ifndef STEPS_H
#define STEPS_H

/*
 * The steps that lead to a running program, in their order.  The name of the
 * one that failed, with the errno, is the record `failed`; names are part of
 * the contract with src/run/verdict.ts.
 */
#define STEPS(step)                                                      \
	step(STEP_NONE, "none")                                          \
	/* The keeper's. */                                              \
	step(STEP_PLAN, "plan")                                          \
	step(STEP_DESCRIPTORS, "descriptors")                            \
	step(STEP_IMAGE_LOCK, "image-lock")                              \
	step(STEP_IDENTITY_LOCK, "identity-lock")                        \
	step(STEP_CGROUP, "cgroup")                                      \
	step(STEP_PLACE, "place")                                        \
	step(STEP_WATCH, "watch")                                        \
	step(STEP_PIPES, "pipes")                                        \
	step(STEP_NAMESPACES, "namespaces")                              \
	step(STEP_TIME, "time")                                          \
	step(STEP_INIT_DIED, "init-died")                                \
	/* Of the first process in the cell. */                          \
	step(STEP_ANOMALY, "anomaly")                                    \
	step(STEP_CONFINEMENT, "confinement")                            \
	step(STEP_PARENT_DEATH, "parent-death")                          \
	step(STEP_USERS, "user-map")                                     \
	step(STEP_CGROUP_JOIN, "cgroup-join")                            \
	step(STEP_CGROUP_NAMESPACE, "cgroup-namespace")                  \
	step(STEP_OOM_SCORE, "oom-score")                                \
	step(STEP_PRIVATE_MOUNTS, "private-mounts")                      \
	step(STEP_ROOT, "root")                                          \
	step(STEP_ROOT_TMP, "root-tmp")                                  \
	step(STEP_ROOT_DEV, "root-dev")                                  \
	step(STEP_ROOT_RUN, "root-run")                                  \
	step(STEP_ROOT_PROC, "root-proc")                                \
	step(STEP_TMP, "tmp")                                            \
	step(STEP_FILES, "files")                                        \
	step(STEP_DEV, "dev")                                            \
	step(STEP_PROGRAM, "program")                                    \
	step(STEP_PROC, "proc")                                          \
	step(STEP_RESOLVER, "resolver")                                  \
	step(STEP_PIVOT, "pivot")                                        \
	step(STEP_HOSTNAME, "hostname")                                  \
	step(STEP_PROXY, "proxy")                                        \
	step(STEP_STDIO, "stdio")                                        \
	step(STEP_MAIN, "main")                                          \
	step(STEP_LISTENER, "listener")                                  \
	step(STEP_INIT_PRIVILEGES, "init-privileges")                    \
	/* Of the main program's process. */                             \
	step(STEP_SESSION, "session")                                    \
	step(STEP_SIGNALS, "signals")                                    \
	step(STEP_RLIMITS, "rlimits")                                    \
	step(STEP_CHROOT, "chroot")                                      \
	step(STEP_CAPABILITIES, "capabilities")                          \
	step(STEP_IDENTITY, "identity")                                  \
	step(STEP_NO_NEW_PRIVILEGES, "no-new-privileges")                \
	step(STEP_DIRECTORY, "directory")                                \
	step(STEP_LANDLOCK, "landlock")                                  \
	step(STEP_FILTER, "filter")                                      \
	step(STEP_EXEC, "exec")

#define STEP_ENUMERATOR(id, name) id,
enum step { STEPS(STEP_ENUMERATOR) STEP_COUNT };

/* Never NULL: what is no step is `unknown`. */
const char *step_name(enum step step);

#endif
