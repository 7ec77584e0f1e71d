import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { AttackHost } from './attack-host.ts';
import { launchedPlans } from './variation.ts';

/** The state of the host that no run may change. */
export interface Baseline {
  readonly mounts: readonly string[];
  readonly descriptors: number;
  readonly sharedMemory: number;
  readonly ownMemory: number;
  readonly rootfs: string;
  readonly run: string;
}

/** Until when the host may take to settle: kernels free memory and file descriptors a moment later. */
const ATTEMPTS = 40;
const PAUSE_MS = 50;
const MEMORY_SLACK = 256 * 1024 ** 2;

export function baseline(host: AttackHost, root: string): Baseline {
  return {
    mounts: mountsOf(host, root),
    descriptors: readdirSync('/proc/self/fd').length,
    sharedMemory: sharedMemory(),
    ownMemory: process.memoryUsage.rss(),
    rootfs: rootfsDigest(root),
    run: readdirSync('/run/rootcellar').join(' '),
  };
}

export interface SweepRequest {
  readonly host: AttackHost;
  readonly root: string;
  readonly before: Baseline;
  /** The neighbour's, whose process and groups are to be there. */
  readonly keep: { readonly uid: number; readonly directories: ReadonlySet<string> };
}

/** What a run has left behind or changed; empty when nothing. */
export async function sweep(request: SweepRequest): Promise<readonly string[]> {
  let left = findLeft(request);
  for (let attempt = 0; left.length > 0 && attempt < ATTEMPTS; attempt += 1) {
    await setTimeout(PAUSE_MS);
    left = findLeft(request);
  }
  return left;
}

function findLeft({ host, root, before, keep }: SweepRequest): readonly string[] {
  const now = baseline(host, root);
  const directories = launchedPlans()
    .flatMap((plan) => plan.cgroups?.directories ?? [])
    .filter((directory) => !keep.directories.has(directory));
  return [
    ...processes(host)
      .filter((uid) => uid !== keep.uid)
      .map((uid) => `a process of uid ${uid}`),
    ...directories.filter((directory) => exists(directory)).map((directory) => `control group ${directory}`),
    ...now.mounts.filter((mount) => !before.mounts.includes(mount)).map((mount) => `mount ${mount}`),
    ...ownedFiles(host).map((file) => `file ${file}`),
    ...(now.descriptors > before.descriptors ? [`${now.descriptors - before.descriptors} descriptors`] : []),
    ...(now.sharedMemory > before.sharedMemory + MEMORY_SLACK ? ['shared memory'] : []),
    ...(now.ownMemory > before.ownMemory + 2 * MEMORY_SLACK ? ['memory of the supervisor'] : []),
    ...(now.rootfs === before.rootfs ? [] : ['a change of the root filesystem']),
    ...(now.run === before.run ? [] : ['a change of /run/rootcellar']),
    ...(host.isCanaryWhole() ? [] : ['a change of a file of the host']),
    ...(host.visits() === 0 ? [] : ['a connection to a server of the host']),
  ];
}

/** Mounts that the host sees below what the cells are made of. */
function mountsOf(host: AttackHost, root: string): readonly string[] {
  const rows = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return rows.filter((row) => row.includes(root) || row.includes(host.folder) || row.includes('rootcellar-cell'));
}

/** Effective user ids, as far as they are ours, of all processes of the host; zombies too. */
export function processes({ identities }: AttackHost): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => Number(/^Uid:\t(\d+)/m.exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? 0))
    .filter((uid) => isOurs(uid, identities));
}

function ownedFiles({ identities }: AttackHost): readonly string[] {
  return ['/tmp', '/var/tmp', '/dev/shm', '/run', '/run/rootcellar', '/dev/mqueue'].flatMap((folder) =>
    (exists(folder) ? readdirSync(folder) : [])
      .map((name) => join(folder, name))
      .filter((file) => isOurs(lstatSync(file, { throwIfNoEntry: false })?.uid ?? 0, identities)),
  );
}

function isOurs(uid: number, { firstUid, count }: AttackHost['identities']): boolean {
  return uid >= firstUid && uid < firstUid + count;
}

/** Bytes in tmpfs and shared mappings, which outlive the processes that made them. */
function sharedMemory(): number {
  return Number(/^Shmem:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
}

const SAMPLE = [
  'etc/passwd',
  'etc/ld.so.cache',
  'usr/bin/python3',
  'usr/lib/python3/dist-packages/requests/__init__.py',
];
const FOLDERS = ['.', 'tmp', 'dev', 'run', 'etc', 'usr/lib/python3/dist-packages', 'var'];

/** Over bytes of some files, and names, times and modes in some folders. */
function rootfsDigest(root: string): string {
  const hash = createHash('sha256');
  for (const file of SAMPLE) hash.update(readFileSync(join(root, file)));
  for (const folder of FOLDERS) {
    for (const name of readdirSync(join(root, folder)).toSorted()) {
      const { size, mode, mtimeMs, uid, nlink } = lstatSync(join(root, folder, name));
      hash.update(JSON.stringify([name, size, mode, mtimeMs, uid, nlink]));
    }
  }
  return hash.digest('hex');
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
