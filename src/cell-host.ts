import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RootcellarError } from './base/rootcellar-error.ts';
import type { Limits } from './recipe/recipe.ts';
import { planCgroups, type CgroupPlan } from './run/cgroup-plan.ts';
import { probeCgroups } from './run/cgroup-probe.ts';
import { sweepCgroups } from './run/cgroup-sweep.ts';
import type { IdentityRange } from './run/launch-plan.ts';

/** The launcher, as `make -C native` builds it: beside `dist/` in the package. */
export const CELL_PATH: string = join(import.meta.dirname, '../native/build/cell');

/** Where uids of running cells are reserved, for the whole host. */
const RUN_FOLDER = '/run/rootcellar';
/** A stretch that no distribution, no container manager and no subuid file hands out by default. */
const FIRST_UID = 1_900_000_000;
const UIDS = 65_536;
/** What the control groups of all runs are called, up to a random part. */
const GROUP_PREFIX = 'rootcellar-';
/** Groups younger than this may belong to a run that is just being set up. */
const STALE_MS = 60_000;

/** Throws E_SANDBOX for a user who cannot make cells; `command` is what to type with more rights. */
export function checkPrivilege(command: string): void {
  if (process.geteuid?.() === 0) return;
  throw new RootcellarError('E_SANDBOX', 'a cell: this version makes cells of tier A only, which need root', {
    hint: `sudo ${command}`,
  });
}

/** The control groups of one cell. Throws E_SANDBOX where there can be none. */
export async function cellCgroups(limits: Limits, now: number): Promise<CgroupPlan> {
  const host = await probeCgroups();
  const cgroups = planCgroups(host, `${GROUP_PREFIX}${randomUUID()}`, limits);
  await sweepCgroups(host, { prefix: GROUP_PREFIX, madeBefore: now * 1000 - STALE_MS });
  if (cgroups !== undefined) return cgroups;
  throw new RootcellarError('E_SANDBOX', 'a cell: no control group can limit its memory and processes here', {
    hint: 'rootcellar doctor',
  });
}

/** Makes the folder of the lock file when it is missing. */
export function cellIdentities(): IdentityRange {
  mkdirSync(RUN_FOLDER, { recursive: true, mode: 0o700 });
  return { firstUid: FIRST_UID, count: UIDS, lockFile: join(RUN_FOLDER, 'uids') };
}
