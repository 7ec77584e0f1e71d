import type { NetworkMode } from '../recipe/network.ts';
import type { Tier } from '../recipe/recipe.ts';

/** By what a cell is kept to its network. */
export type NetworkEnforcement =
  /** A network of its own, in which there is nothing but, maybe, the way to the proxy. */
  | { readonly kind: 'namespace' }
  /** The filter alone: no socket can be made that reaches anybody. */
  | { readonly kind: 'filter' }
  /**
   * Landlock's rule for the proxy's port, in the host's network, and the filter, which leaves TCP alone. Weak: the rule knows
   * no addresses, so that the program can reach that port of other machines too.
   */
  | { readonly kind: 'port' }
  /** Nothing: the program reaches what the host reaches. */
  | { readonly kind: 'open' }
  | { readonly kind: 'impossible'; readonly reason: string };

export interface NetworkQuestion {
  readonly tier: Tier;
  readonly mode: NetworkMode;
  /** ABI of the kernel's Landlock; 0: it has none. */
  readonly landlock: number;
}

/** The first ABI with rules for TCP: Linux 6.7. Source: Documentation/userspace-api/landlock.rst. */
const LANDLOCK_TCP = 4;

/** What a tier can do to enforce a mode. A run whose mode is `impossible` must be refused, never started without it. */
export function networkEnforcement({ tier, mode, landlock }: NetworkQuestion): NetworkEnforcement {
  if (mode === 'host') return { kind: 'open' };
  if (tier === 'A' || tier === 'B') return { kind: 'namespace' };
  if (mode === 'none') return { kind: 'filter' };
  if (landlock >= LANDLOCK_TCP) return { kind: 'port' };
  const reason = `in tier ${tier}, a proxy can only be enforced by Landlock's rules for TCP, which Linux has since 6.7`;
  return { kind: 'impossible', reason };
}
