import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { compilePolicy, withoutListener, type SyscallPolicy } from './policy.ts';
import { ALLOW, errno, word, type SyscallRule } from './syscall-rule.ts';
import { syscallNumber } from './syscall-tables.ts';

/** Stands in the shim's filters for the process number, which it learns when it runs. More than the kernel's 2²² of them. */
export const SHIM_PROCESS = 0x7fff_fffe;

/** linux/socket.h */
const [AF_INET, AF_INET6] = [2, 10];

/**
 * What a program may do that confined itself by the shim `python.so`: profile `python`, and `@network` when `network` is.
 * There is no listener, so denied calls are answered EPERM; and no namespace, so where a cell relies on its own process
 * numbers and its own network, this policy has conditions: signals go to this process alone, sockets are of the internet.
 */
export function shimPolicy(architecture: Architecture, network: boolean): SyscallPolicy {
  const settings = { profile: 'python', allow: network ? ['@network'] : [], deny: [] };
  const policy = withoutListener(compilePolicy(settings, architecture));
  const own = [...OWN_RULES].filter(
    ([name]) => policy.rules.has(name) && syscallNumber(architecture, name) !== undefined,
  );
  const rules = [...new Map([...policy.rules, ...own])].toSorted(([a], [b]) => byteOrder(a, b));
  return { ...policy, rules: new Map(rules) };
}

const TO_ITSELF: SyscallRule = { when: [word(0, [SHIM_PROCESS])], action: ALLOW, meaning: 'to this process' };

const OWN_RULES: ReadonlyMap<string, readonly SyscallRule[]> = new Map([
  ['kill', [TO_ITSELF]],
  ['tgkill', [TO_ITSELF]],
  // Names a thread, of which only the first is known to be ours; musl's raise() calls it.
  ['tkill', [TO_ITSELF]],
  // No others: they reach services of the host (AF_UNIX by abstract names, AF_VSOCK) or rarely used code of the kernel.
  [
    'socket',
    [
      { when: [word(0, [AF_INET, AF_INET6])], action: ALLOW, meaning: 'AF_INET, AF_INET6' },
      { when: [], action: errno('EAFNOSUPPORT') },
    ],
  ],
]);
