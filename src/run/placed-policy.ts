import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { Tier } from '../recipe/recipe.ts';
import type { SyscallPolicy } from './policy.ts';
import { ALLOW, word, type SyscallRule } from './syscall-rule.ts';
import { SYSCALL_GROUPS } from './syscall-groups.ts';
import { syscallNumber } from './syscall-tables.ts';

/** Stands in filters for the number of the main process, which the launcher puts there: `PLAN_PROCESS` of native/plan.h. */
export const MAIN_PROCESS = 0x7fff_fffe;

/** The first Landlock ABI that keeps signals in; source: landlock(7), LANDLOCK_SCOPE_SIGNAL. */
const SCOPED_SIGNALS = 6;

/**
 * The same policy for a cell without namespaces or without control groups: what the kernel would have kept away from the host
 * is denied. Where there are both nothing changes.
 *
 * Without control groups: files without names, whose memory nothing else counts.
 * C and D: sockets, since there is no empty network to put them in.
 * D: what acts on files and processes of the same user, which the cell shares with its host: modes, owners and times
 * of files, which Landlock does not guard; priorities; and signals to others, where Landlock does not scope them.
 */
export function placedPolicy(policy: SyscallPolicy, placement: Placement): SyscallPolicy {
  const { architecture, tier, landlock } = placement;
  const denied = deniedIn(placement);
  const kept = [...policy.rules].filter(([name]) => !denied.has(name));
  if (denied.size === 0) return policy;
  const pinned = tier === 'D' && landlock < SCOPED_SIGNALS ? signalRules(policy, architecture) : [];
  const rules = [...new Map([...kept, ...pinned])].toSorted(([a], [b]) => byteOrder(a, b));
  return { ...policy, rules: new Map(rules) };
}

function deniedIn({ tier, hasNetwork, isCounted }: Placement): ReadonlySet<string> {
  const files = isCounted ? [] : NAMELESS_FILES;
  if (tier === 'A' || tier === 'B') return new Set(files);
  const sockets = hasNetwork ? [] : SOCKETS;
  return new Set([...files, ...sockets, ...(tier === 'D' ? [...FILE_METADATA, ...SCHEDULING] : [])]);
}

export interface Placement {
  readonly architecture: Architecture;
  readonly tier: Tier;
  /** Whether it may reach anybody; else no socket is made that could. */
  readonly hasNetwork: boolean;
  /** Whether control groups count its memory; else only what processes have can be measured. */
  readonly isCounted: boolean;
  /** ABI of the host. */
  readonly landlock: number;
}

/** Their memory belongs to no process. */
const NAMELESS_FILES: readonly string[] = ['memfd_create', 'memfd_secret'];

const SOCKETS: readonly string[] = ['socket', 'bind', 'connect', 'listen', 'accept', 'accept4', 'sendmmsg'];

const FILE_METADATA: readonly string[] = [
  'chmod',
  'fchmod',
  'fchmodat',
  'fchmodat2',
  'chown',
  'fchown',
  'lchown',
  'fchownat',
  'utime',
  'utimes',
  'futimesat',
  'utimensat',
];

const SCHEDULING: readonly string[] = SYSCALL_GROUPS.get('@scheduling')?.names ?? [];

const TO_ITSELF: SyscallRule = { when: [word(0, [MAIN_PROCESS])], action: ALLOW, meaning: 'to the main process' };

function signalRules(policy: SyscallPolicy, architecture: Architecture): readonly [string, readonly SyscallRule[]][] {
  return ['kill', 'tgkill', 'tkill'].flatMap((name) =>
    policy.rules.has(name) && syscallNumber(architecture, name) !== undefined ? [[name, [TO_ITSELF]]] : [],
  );
}
