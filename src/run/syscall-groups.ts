import { ARGUMENT_RULES, CLONE_PROCESS_RULE } from './argument-rules.ts';
import { HOST_RULES, PROXY_RULES } from './network-rules.ts';
import { ALLOW, errno, type SyscallRule } from './syscall-rule.ts';

/** Calls that belong together, with what a profile lets them do. */
export interface SyscallGroup {
  readonly reason: string;
  readonly names: readonly string[];
  readonly rules: (name: string) => readonly SyscallRule[];
}

/** By name, with its `@`. Names that an architecture does not have are left out there. */
export const SYSCALL_GROUPS: ReadonlyMap<string, SyscallGroup> = new Map([
  group('@basic-io', {
    reason: 'reading and writing what is open, and pipes',
    calls: `
      read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range
      dup dup2 dup3 fcntl ioctl pipe pipe2`,
  }),
  group('@file-system', {
    reason: 'opening, listing, making and removing files',
    calls: `
      open openat openat2 creat stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat
      getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat
      symlink symlinkat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask truncate ftruncate fallocate
      fsync fdatasync fadvise64 statfs fstatfs utime utimes futimesat utimensat mknod mknodat copy_file_range sendfile
      getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr`,
  }),
  group('@memory', {
    reason: 'memory of this process; executable too, which ctypes and just-in-time compilers need',
    calls: 'brk mmap munmap mremap mprotect madvise msync memfd_create',
  }),
  group('@threads', {
    reason: 'threads of this process, and ending it',
    calls: `
      clone futex set_robust_list set_tid_address rseq membarrier arch_prctl prctl sched_yield gettid
      exit exit_group`,
  }),
  group('@signals', {
    reason: 'signals; the cell has its own process numbers, so there is nobody else to send them to',
    calls: `
      rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack
      restart_syscall pause kill tkill tgkill`,
  }),
  group('@time', {
    reason: 'clocks, sleeping and timers',
    calls: `
      clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times alarm getitimer setitimer`,
  }),
  group('@event-loop', {
    reason: 'waiting for several things at once, as asyncio does',
    calls: `
      poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
      eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4`,
  }),
  group('@socket-pair', {
    reason: 'sockets that are connected from birth, as asyncio wakes itself with',
    calls: `
      socketpair sendto recvfrom sendmsg recvmsg shutdown getsockname getpeername getsockopt setsockopt`,
  }),
  group('@process-info', {
    reason: 'asking about this process and the machine',
    calls: `
      getpid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getgroups getresuid getresgid
      uname sysinfo getrusage getrlimit prlimit64 personality getcpu getpriority
      sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
      sched_rr_get_interval`,
  }),
  group('@random', { reason: 'random numbers', calls: 'getrandom' }),
  group('@subprocess', {
    reason: 'starting other programs of the image and waiting for them',
    calls: 'clone fork vfork execve execveat wait4 waitid setpgid setsid pidfd_open',
    rules: new Map([['clone', [CLONE_PROCESS_RULE]]]),
  }),
  group('@scheduling', {
    reason: 'priorities and the choice of processors',
    calls: `
      setpriority sched_setaffinity sched_setparam sched_setscheduler sched_setattr sched_getattr ioprio_get
      ioprio_set`,
  }),
  group('@network', {
    reason: 'sockets of every kind; in a cell without a network they reach nothing',
    calls: `
      socket bind connect listen accept accept4 sendmmsg recvmmsg socketpair sendto recvfrom sendmsg recvmsg
      shutdown getsockname getpeername getsockopt setsockopt`,
    rules: new Map(),
  }),
  group('@proxy-client', {
    reason: 'connections by TCP, to the proxy of a cell; with `network: proxy` it is there already',
    calls: 'socket connect bind sendto sendmsg sendmmsg recvmmsg setsockopt',
    rules: PROXY_RULES,
  }),
  group('@network-client', {
    reason: 'connections by TCP and datagrams, without listening; with `network: host` it is there already',
    calls: 'socket connect bind sendto sendmsg sendmmsg recvmmsg setsockopt',
    rules: HOST_RULES,
  }),
  group('@probed', {
    reason: 'libraries try these and do without when the kernel says that they do not exist',
    calls: `
      clone3 io_uring_setup io_uring_enter io_uring_register statmount listmount listns futex_waitv futex_wake
      futex_wait futex_requeue rseq_slice_yield get_mempolicy mbind set_mempolicy_home_node
      landlock_create_ruleset landlock_add_rule landlock_restrict_self map_shadow_stack mseal cachestat`,
    otherwise: [{ when: [], action: errno('ENOSYS') }],
  }),
  group('@node-probed', {
    reason: 'Node.js tries these at its start: whether it has capabilities, and whether memory can have keys',
    calls: 'capget pkey_alloc',
    rules: new Map(),
    otherwise: [{ when: [], action: errno('ENOSYS') }],
  }),
]);

interface GroupSettings {
  readonly reason: string;
  readonly calls: string;
  /** Instead of ARGUMENT_RULES. */
  readonly rules?: ReadonlyMap<string, readonly SyscallRule[]>;
  /** For calls without a rule; they are allowed unless this says something else. */
  readonly otherwise?: readonly SyscallRule[];
}

function group(name: string, settings: GroupSettings): readonly [string, SyscallGroup] {
  const rules = settings.rules ?? ARGUMENT_RULES;
  const otherwise = settings.otherwise ?? [{ when: [], action: ALLOW }];
  return [
    name,
    {
      reason: settings.reason,
      names: settings.calls.trim().split(/\s+/),
      rules: (call) => rules.get(call) ?? otherwise,
    },
  ];
}
