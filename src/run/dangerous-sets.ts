/** Calls that are worse together than each alone. */
export interface DangerousSet {
  /** Of each list at least one is allowed, whatever its arguments are. */
  readonly calls: readonly (readonly string[])[];
  /** Only with this `sandbox.network`; undefined: with any. */
  readonly network?: 'host' | undefined;
  readonly reason: string;
}

/**
 * Not here: `memfd_create` with `execveat`. What they execute stays under the filter, without privileges, and what
 * `@subprocess` allows could be done as well by a program of the image.
 */
export const DANGEROUS_SETS: readonly DangerousSet[] = [
  {
    calls: [
      ['clone', 'clone3', 'unshare', 'setns'],
      ['mount', 'fsopen', 'fsmount', 'open_tree', 'open_tree_attr', 'move_mount'],
    ],
    reason: 'a user namespace of its own gives the privileges that mounting needs: the way of most escapes',
  },
  {
    calls: [['socket'], ['splice', 'vmsplice', 'tee', 'sendfile']],
    reason: 'through an AF_ALG socket they have written into files that may only be read (CVE-2026-31431)',
  },
  {
    calls: [['socket']],
    network: 'host',
    reason: 'sockets of every family reach services of the host: on loopback, and by abstract names',
  },
  {
    calls: [['execve', 'execveat']],
    network: 'host',
    reason: 'every program of the image reaches what the host reaches, not only the one that was meant to',
  },
];
