import { ALLOW, errno, long, word, type SyscallRule } from './syscall-rule.ts';

// Source of the values: the kernel's exported headers, named in each table. The kernel takes all of these as `int` or `unsigned`.

/** linux/sched.h */
const CLONE = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  VFORK: 0x4000,
  THREAD: 0x1_0000,
  SYSVSEM: 0x4_0000,
  SETTLS: 0x8_0000,
  PARENT_SETTID: 0x10_0000,
  CHILD_CLEARTID: 0x20_0000,
  DETACHED: 0x40_0000,
  CHILD_SETTID: 0x100_0000,
};
const SHARED = CLONE.VM + CLONE.FS + CLONE.FILES + CLONE.SIGHAND + CLONE.SYSVSEM + CLONE.SETTLS;
const TIDS = CLONE.PARENT_SETTID + CLONE.CHILD_SETTID + CLONE.CHILD_CLEARTID;
const THREAD_FLAGS = CLONE.VM + CLONE.SIGHAND + CLONE.THREAD;
const SIGCHLD = 17;

/** asm-generic/ioctls.h; FICLONE: linux/fs.h */
const IOCTL = {
  TCGETS: 0x5401,
  TIOCGWINSZ: 0x5413,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  FIONCLEX: 0x5450,
  FIOCLEX: 0x5451,
  TCGETS2: 0x802c_542a,
};
const FICLONE = 0x4004_9409;

/** asm-generic/fcntl.h and linux/fcntl.h. Not here: F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ. */
const FCNTL = {
  F_DUPFD: 0,
  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  F_GETLK: 5,
  F_SETLK: 6,
  F_SETLKW: 7,
  F_OFD_GETLK: 36,
  F_OFD_SETLK: 37,
  F_OFD_SETLKW: 38,
  F_DUPFD_CLOEXEC: 1030,
  F_GETPIPE_SZ: 1032,
  F_ADD_SEALS: 1033,
  F_GET_SEALS: 1034,
};

/** linux/prctl.h */
const PRCTL = {
  PR_GET_DUMPABLE: 3,
  PR_SET_NAME: 15,
  PR_GET_NAME: 16,
  PR_CAPBSET_READ: 23,
  PR_SET_THP_DISABLE: 41,
  PR_GET_THP_DISABLE: 42,
  PR_SET_VMA: 0x5356_4d41,
};

/** asm/prctl.h of x86 */
const ARCH_PRCTL = { ARCH_SET_FS: 0x1002, ARCH_GET_FS: 0x1003 };

/** asm-generic/socket.h. SO_ATTACH_FILTER and the like would let a guest put programs into the kernel. */
const SOCKET_OPTIONS = { SO_TYPE: 3, SO_ERROR: 4, SO_SNDBUF: 7, SO_RCVBUF: 8, SO_RCVTIMEO: 20, SO_SNDTIMEO: 21 };
const SOL_SOCKET = 1;
const AF_UNIX = 1;
/** Bits of a socket's type that are not flags; linux/net.h. */
const SOCK_TYPE_MASK = 0xf;
const [SOCK_STREAM, SOCK_SEQPACKET] = [1, 5];

/** linux/stat.h */
const [S_IFMT, S_IFIFO] = [0xf000, 0x1000];

/** What a profile lets a call do where it does not let it do everything. */
export const ARGUMENT_RULES: ReadonlyMap<string, readonly SyscallRule[]> = new Map([
  [
    'clone',
    [only('threads of this process', [onlyFlags(SHARED + TIDS + CLONE.DETACHED + CLONE.THREAD, THREAD_FLAGS)])],
  ],
  [
    'ioctl',
    [
      oneOf(1, IOCTL),
      // What a file system without reflinks says; Python's copying goes on from there and stops at any other error.
      { when: [word(1, [FICLONE])], action: errno('EOPNOTSUPP'), meaning: 'FICLONE' },
    ],
  ],
  ['fcntl', [oneOf(1, FCNTL)]],
  ['prctl', [oneOf(0, PRCTL)]],
  // The C library probes for shadow stacks with other codes, at each start.
  ['arch_prctl', [oneOf(0, ARCH_PRCTL), { when: [], action: errno('EINVAL') }]],
  ['personality', [only('asking, not changing', [word(0, [0xffff_ffff])])]],
  ['prlimit64', [only('on this process', [word(0, [0])])]],
  // A datagram pair could be used to send to any socket that has a name.
  [
    'socketpair',
    [
      only('AF_UNIX, stream or seqpacket', [
        word(0, [AF_UNIX]),
        word(1, [SOCK_STREAM, SOCK_SEQPACKET], SOCK_TYPE_MASK),
      ]),
    ],
  ],
  ['sendto', [only('to the connected peer', [long(4, [0n])])]],
  ['setsockopt', [only(names(SOCKET_OPTIONS), [word(1, [SOL_SOCKET]), word(2, Object.values(SOCKET_OPTIONS))])]],
  ['mknod', [only('FIFOs', [word(1, [S_IFIFO], S_IFMT)])]],
  ['mknodat', [only('FIFOs', [word(2, [S_IFIFO], S_IFMT)])]],
  // Moves pages of files into pipes, as splice does. ENOTSOCK is what makes Python's copying read and write instead.
  ['sendfile', [{ when: [], action: errno('ENOTSOCK') }]],
]);

/** clone(2) as fork, vfork and posix_spawn use it: no namespace, not traced, parent told by SIGCHLD. */
export const CLONE_PROCESS_RULE: SyscallRule = only('new processes, in the same namespaces', [
  onlyFlags(CLONE.VM + CLONE.VFORK + CLONE.SETTLS + TIDS, SIGCHLD),
]);

/** Holds when all bits of `required` are set, and besides them no other than those of `optional`. */
function onlyFlags(optional: number, required: number): SyscallRule['when'][number] {
  const mask = 0xffff_ffff - union(optional, required) + required;
  return word(0, [required], mask);
}

function union(a: number, b: number): number {
  return (a | b) >>> 0;
}

function oneOf(argument: 0 | 1, values: Readonly<Record<string, number>>): SyscallRule {
  return only(names(values), [word(argument, Object.values(values))]);
}

function only(meaning: string, when: SyscallRule['when']): SyscallRule {
  return { when, action: ALLOW, meaning };
}

function names(values: Readonly<Record<string, number>>): string {
  return Object.keys(values).join(', ');
}
