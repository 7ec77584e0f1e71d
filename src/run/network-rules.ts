import { ALLOW, errno, long, word, type SyscallRule } from './syscall-rule.ts';

// Source of the values: the kernel's exported headers, named in each table.

/** linux/socket.h */
const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1, 2, 10, 16];
/** linux/net.h; the mask leaves out SOCK_CLOEXEC and SOCK_NONBLOCK. */
const [SOCK_STREAM, SOCK_DGRAM, SOCK_TYPE_MASK] = [1, 2, 0xf];
/** linux/in.h. Not here: IPPROTO_MPTCP and IPPROTO_SCTP, for which Landlock's rules for TCP do not hold. */
const [IPPROTO_DEFAULT, IPPROTO_TCP, IPPROTO_UDP] = [0, 6, 17];
/** Also the levels of options, besides SOL_SOCKET of asm-generic/socket.h. */
const [SOL_IP, SOL_SOCKET, SOL_IPV6] = [0, 1, 41];

/** asm-generic/socket.h; linux/tcp.h, of which TCP_ULP and TCP_MD5SIG open code of the kernel; linux/in.h; linux/in6.h. */
const SOCKET_OPTIONS: readonly (readonly [level: number, options: Readonly<Record<string, number>>])[] = [
  [SOL_SOCKET, { SO_REUSEADDR: 2, SO_KEEPALIVE: 9, SO_LINGER: 13 }],
  [
    IPPROTO_TCP,
    { TCP_NODELAY: 1, TCP_KEEPIDLE: 4, TCP_KEEPINTVL: 5, TCP_KEEPCNT: 6, TCP_QUICKACK: 12, TCP_USER_TIMEOUT: 18 },
  ],
  [SOL_IP, { IP_TOS: 1, IP_RECVERR: 11 }],
  [SOL_IPV6, { IPV6_RECVERR: 25, IPV6_V6ONLY: 26, IPV6_TCLASS: 67 }],
];

const OPTIONS: readonly SyscallRule[] = SOCKET_OPTIONS.map(([level, options]) => ({
  when: [word(1, [level]), word(2, Object.values(options))],
  action: ALLOW,
  meaning: Object.keys(options).join(', '),
}));

const STREAMS: SyscallRule = {
  when: [word(0, [AF_INET, AF_INET6]), word(1, [SOCK_STREAM], SOCK_TYPE_MASK), word(2, [IPPROTO_DEFAULT, IPPROTO_TCP])],
  action: ALLOW,
  meaning: 'TCP over IPv4 and IPv6',
};

const DATAGRAMS: SyscallRule = {
  when: [word(0, [AF_INET, AF_INET6]), word(1, [SOCK_DGRAM], SOCK_TYPE_MASK), word(2, [IPPROTO_DEFAULT, IPPROTO_UDP])],
  action: ALLOW,
  meaning: 'UDP over IPv4 and IPv6',
};

/** The C library asks the kernel for its addresses and a name service daemon for names, and does without either. */
const PROBED: SyscallRule = {
  when: [word(0, [AF_UNIX, AF_NETLINK])],
  action: errno('EAFNOSUPPORT'),
  meaning: 'AF_UNIX, AF_NETLINK',
};

/** Libraries try whether they can have an address, as a sign of IPv6. Nobody listens: in the host's network it would be for all. */
const NO_ADDRESS: SyscallRule = { when: [], action: errno('EACCES') };

/** What `socket` may do with a proxy, where there is nothing to be had by other protocols. */
export const PROXY_SOCKETS: readonly SyscallRule[] = [STREAMS, PROBED];
/** And in the host's network, for names are looked up by datagrams. */
export const HOST_SOCKETS: readonly SyscallRule[] = [STREAMS, DATAGRAMS, PROBED];

export const PROXY_RULES: ReadonlyMap<string, readonly SyscallRule[]> = new Map([
  ['socket', PROXY_SOCKETS],
  ['bind', [NO_ADDRESS]],
  ['setsockopt', OPTIONS],
  ['sendto', [{ when: [long(4, [0n])], action: ALLOW, meaning: 'to the connected peer' }]],
]);

export const HOST_RULES: ReadonlyMap<string, readonly SyscallRule[]> = new Map([
  ['socket', HOST_SOCKETS],
  ['bind', [NO_ADDRESS]],
  ['setsockopt', OPTIONS],
]);

/** linux/socket.h: connects while it sends, past Landlock's rules for TCP. */
const MSG_FASTOPEN = 0x2000_0000;

/** Calls that send, and what none of their flags may be with a proxy. */
export const NO_FAST_OPEN: ReadonlyMap<string, SyscallRule['when'][number]> = new Map([
  ['sendto', word(3, [0], MSG_FASTOPEN)],
  ['sendmsg', word(2, [0], MSG_FASTOPEN)],
  ['sendmmsg', word(3, [0], MSG_FASTOPEN)],
]);
