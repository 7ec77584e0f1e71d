import { readdir, rmdir, stat } from 'node:fs/promises';
import { isErrno } from '../base/rootcellar-error.ts';
import type { CgroupHost } from './cgroup-host.ts';

export interface CgroupSweep {
  /** What the names of all control groups of runs begin with. */
  readonly prefix: string;
  /** Milliseconds since the epoch. Younger groups may be of a run whose first process is still to join them. */
  readonly madeBefore: number;
}

/**
 * Removes empty control groups that runs have left whose launcher and caller were both killed. Gives their directories.
 * The kernel refuses to remove a group with a process in it, so no run that is going on can be harmed.
 */
export async function sweepCgroups(host: CgroupHost, sweep: CgroupSweep): Promise<readonly string[]> {
  const parents = new Set(['memory', 'pids', 'cpuacct', 'cpu'].flatMap((name) => host.versionOne.get(name) ?? []));
  if (host.versionTwo !== undefined) parents.add(host.versionTwo.directory);
  const removed = await Promise.all([...parents].map((parent) => sweepDirectory(parent, sweep)));
  return removed.flat();
}

async function sweepDirectory(parent: string, { prefix, madeBefore }: CgroupSweep): Promise<readonly string[]> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(prefix));
  const removed = await Promise.all(
    names.map(async (name) => ((await removeStale(`${parent}/${name}`, madeBefore)) ? [`${parent}/${name}`] : [])),
  );
  return removed.flat();
}

async function removeStale(directory: string, madeBefore: number): Promise<boolean> {
  try {
    if ((await stat(directory)).mtimeMs >= madeBefore) return false;
    await rmdir(directory);
    return true;
  } catch (error) {
    // In use, or gone meanwhile.
    if (isErrno(error, 'EBUSY') || isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
