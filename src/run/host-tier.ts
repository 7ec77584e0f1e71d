import { TIERS, type Tier } from '../recipe/recipe.ts';
import type { CellProbe } from './probe-cell.ts';

/** What a cell of each tier needs of its host, by the names that `cell probe` gives. */
export const TIER_NEEDS: Readonly<Record<Tier, readonly string[]>> = {
  A: [
    'mount-namespace',
    'pid-namespace',
    'network-namespace',
    'other-namespaces',
    'mount',
    'openat2',
    'own-uid',
    'seccomp-listener',
  ],
  B: ['user-cell', 'openat2', 'seccomp-listener'],
  C: ['chroot', 'own-uid', 'openat2', 'seccomp-listener'],
  D: ['landlock', 'openat2', 'seccomp-listener'],
};

/** The newest Landlock ABI of the kernel; 0: none. */
export function landlockAbi(probe: CellProbe): number {
  return Number(probe.get('landlock') ?? 0);
}

/** What this host does not have of what the tier needs. */
export function lackingFor(tier: Tier, probe: CellProbe): readonly string[] {
  return TIER_NEEDS[tier].filter((name) =>
    name === 'landlock' ? landlockAbi(probe) === 0 : probe.get(name) !== 'yes',
  );
}

/** The best that this host lets a cell be; undefined: none can be made. */
export function bestTier(probe: CellProbe): Tier | undefined {
  return TIERS.find((tier) => lackingFor(tier, probe).length === 0);
}

/** Whether `tier` is as good as `minimum`, or better. */
export function isAtLeast(tier: Tier, minimum: Tier): boolean {
  return TIERS.indexOf(tier) <= TIERS.indexOf(minimum);
}

interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** A stretch that no distribution, no container manager and no subuid file hands out by default. */
export const OWN_RANGE: IdRange = { first: 1_900_000_000, count: 65_536 };
/** In a container with fewer ids: the part between packages' and systemd's dynamic users, see systemd's UIDS-GIDS. */
const SMALL_RANGE: IdRange = { first: 52_000, count: 8192 };

/**
 * The user ids for cells, by what `/proc/self/uid_map` says that there are: rows of first inside, first outside, count.
 * Undefined when there are too few. Source: user_namespaces(7).
 */
export function identityRange(uidMap: string): IdRange | undefined {
  const rows = uidMap
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number));
  const has = ({ first, count }: IdRange): boolean =>
    rows.some(([start = 0, , length = 0]) => start <= first && first + count <= start + length);
  return [OWN_RANGE, SMALL_RANGE].find(has);
}
