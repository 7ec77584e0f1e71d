import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { geteuid } from 'node:process';
import { RootcellarError } from './base/rootcellar-error.ts';
import { TIERS, type Limits, type Tier } from './recipe/recipe.ts';
import type { CgroupHost } from './run/cgroup-host.ts';
import { planCgroups } from './run/cgroup-plan.ts';
import { probeCgroups } from './run/cgroup-probe.ts';
import { sweepCgroups } from './run/cgroup-sweep.ts';
import { bestTier, identityRange, isAtLeast, lackingFor, landlockAbi, OWN_RANGE } from './run/host-tier.ts';
import type { LaunchPlan } from './run/launch-plan.ts';
import { probeCell, type CellProbe } from './run/probe-cell.ts';

/** The launcher, as `make -C native` builds it: beside `dist/` in the package. */
export const CELL_PATH: string = join(import.meta.dirname, '../native/build/cell');

/** What cells are on this host, for this user. */
export interface CellHost {
  readonly tier: Tier;
  /** ABI; 0: this kernel has none. */
  readonly landlock: number;
}

/** What the control groups of all runs are called, up to a random part. */
const GROUP_PREFIX = 'rootcellar-';
/** Groups younger than this may belong to a run that is just being set up. */
const STALE_MS = 60_000;

/** What was found by asking once: neither the kernel nor our own rights change while a process runs. */
const probes = new Map<string, Promise<CellProbe>>();

/** Throws E_SANDBOX where no cell can be made, or none that is as good as `minimum`. */
export async function cellHost(minimum: Tier): Promise<CellHost> {
  const probe = await probeOnce();
  const tier = bestTier(probe);
  if (tier === undefined || !isAtLeast(tier, minimum)) throw tooWeak(probe, tier, minimum);
  return { tier, landlock: landlockAbi(probe) };
}

function probeOnce(): Promise<CellProbe> {
  const probe = probes.get(CELL_PATH) ?? probeLauncher();
  probes.set(CELL_PATH, probe);
  return probe;
}

async function probeLauncher(): Promise<CellProbe> {
  const probe = await probeCell(CELL_PATH);
  if (probe !== undefined) return probe;
  throw new RootcellarError('E_SANDBOX', `launcher: \`${CELL_PATH}\` cannot be executed`, {
    hint: 'run `make -C native`, or reinstall rootcellar',
  });
}

function tooWeak(probe: CellProbe, tier: Tier | undefined, minimum: Tier): RootcellarError {
  const lacking = lackingFor(minimum, probe).join(', ');
  const what =
    tier === undefined
      ? `none of tier ${minimum} or better can be made here, which lacks ${lacking}`
      : `here it is of tier ${tier}, and \`minimum_tier\` is ${minimum}, for which ${lacking} is lacking`;
  const isForced = tier !== undefined && minimum !== TIERS.at(-1);
  return new RootcellarError('E_SANDBOX', `a cell: ${what}`, {
    hint: isForced
      ? `rootcellar doctor; or --minimum-tier ${tier}, or \`minimum_tier: ${tier}\` in the recipe`
      : 'rootcellar doctor',
  });
}

/** The part of a launch plan that is this host's affair. */
export type Ground = Pick<LaunchPlan, 'tier' | 'identities' | 'cgroups' | 'watch'>;

/** User ids and limits for one cell. Throws E_SANDBOX where memory and processes cannot be limited at all. */
export async function cellGround({ tier }: CellHost, limits: Limits, now: number): Promise<Ground> {
  const groups = await cgroupsOfThisProcess();
  const cgroups = planCgroups(groups, `${GROUP_PREFIX}${randomUUID()}`, limits);
  if (cgroups !== undefined) await sweepOften(groups, now);
  else if ((await probeOnce()).get('children') !== 'yes') throw unlimited();
  const { memoryBytes, processes } = limits;
  const watch = cgroups === undefined ? { memoryBytes, processes } : undefined;
  return { tier, identities: identities(tier), cgroups, watch };
}

/** Where groups can be made, by the groups that this process is in: it may be moved to others. */
const cgroupHosts = new Map<string, Promise<CgroupHost>>();

function cgroupsOfThisProcess(): Promise<CgroupHost> {
  const membership = readFileSync('/proc/self/cgroup', 'utf8');
  const known = cgroupHosts.get(membership);
  if (known !== undefined) return known;
  const found = probeCgroups();
  cgroupHosts.clear();
  cgroupHosts.set(membership, found);
  return found;
}

const sweeps = { last: 0 };

/** Not before each run: what is left of a killed one harms nobody for a minute. `now`: seconds since 1970. */
async function sweepOften(groups: CgroupHost, now: number): Promise<void> {
  if (now * 1000 < sweeps.last + STALE_MS) return;
  sweeps.last = now * 1000;
  await sweepCgroups(groups, { prefix: GROUP_PREFIX, madeBefore: now * 1000 - STALE_MS });
}

function unlimited(): RootcellarError {
  return new RootcellarError('E_SANDBOX', 'a cell: nothing can limit its memory and processes here', {
    hint: 'rootcellar doctor',
  });
}

/** In tiers B and D the id on the host is the caller's own. */
function identities(tier: Tier): LaunchPlan['identities'] {
  const isOwn = tier === 'A' || tier === 'C';
  const range = isOwn ? identityRange(readFileSync('/proc/self/uid_map', 'utf8')) : OWN_RANGE;
  if (range === undefined) {
    throw new RootcellarError('E_SANDBOX', 'a cell: this user namespace has too few user ids', {
      hint: 'map 65536 ids into the container',
    });
  }
  return { firstUid: range.first, count: range.count, lockFile: join(runFolder(), 'uids') };
}

/** For what is only there while cells are: one folder for the whole host, or one of the user's. */
export function runFolder(): string {
  const uid = geteuid?.() ?? 0;
  const folder = uid === 0 ? '/run/rootcellar' : join(tmpdir(), `rootcellar-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid: owner, mode } = lstatSync(folder);
  if (owner === uid && (mode & 0o77) === 0) return folder;
  throw new RootcellarError('E_SANDBOX', `a cell: \`${folder}\` belongs to another user, or lets others in`, {
    hint: `rm -r ${folder}, or set TMPDIR`,
  });
}
