import type { Architecture } from '../base/architecture.ts';
import { networkMode, type NetworkMode } from '../recipe/network.ts';
import type { SandboxSettings } from '../recipe/recipe.ts';
import { HOST_SOCKETS, NO_FAST_OPEN, PROXY_SOCKETS } from './network-rules.ts';
import { compilePolicy, type SyscallPolicy } from './policy.ts';
import type { SyscallRule } from './syscall-rule.ts';

/** What a mode needs beyond the profile. */
const GROUPS: Readonly<Record<NetworkMode, readonly string[]>> = {
  none: [],
  proxy: ['@proxy-client'],
  host: ['@network-client'],
};

/**
 * The policy of a sandbox with what its network needs. Where there is a network, sockets are of TCP, and of UDP in the
 * host's, whatever `allow` names: others reach services of the host and rarely used code of the kernel. `deny` holds.
 * Throws E_POLICY as `compilePolicy` does.
 */
export function networkPolicy(
  { syscalls, network }: Pick<SandboxSettings, 'syscalls' | 'network'>,
  architecture: Architecture,
): SyscallPolicy {
  const mode = networkMode(network);
  if (mode === 'none') return compilePolicy(syscalls, architecture);
  const policy = compilePolicy({ ...syscalls, allow: [...syscalls.allow, ...GROUPS[mode]] }, architecture);
  const rules = [...policy.rules].map(([name, own]) => [name, narrowed(name, own, mode)] as const);
  return { ...policy, rules: new Map(rules) };
}

function narrowed(name: string, rules: readonly SyscallRule[], mode: 'proxy' | 'host'): readonly SyscallRule[] {
  if (name === 'socket' && rules.some(({ action }) => action.kind === 'allow'))
    return mode === 'proxy' ? PROXY_SOCKETS : HOST_SOCKETS;
  const condition = mode === 'proxy' ? NO_FAST_OPEN.get(name) : undefined;
  if (condition === undefined) return rules;
  return rules.map((rule) => ({
    ...rule,
    when: [...rule.when, condition],
    meaning: rule.meaning === undefined ? 'without MSG_FASTOPEN' : `${rule.meaning}, without MSG_FASTOPEN`,
  }));
}
