import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { launchedPlans, type Identities } from './variation.ts';

/** The state of the host that no run may change. */
export interface Baseline {
  readonly mounts: readonly string[];
  readonly descriptors: number;
  readonly sharedMemory: number;
  readonly ownMemory: number;
  readonly rootfs: string;
  readonly run: string;
  readonly uids: ReadonlySet<number>;
  readonly directories: readonly string[];
}

const MEMORY_SLACK = 256 * 1024 ** 2;

/** What is to be known of this machine for looking at it. */
export interface LocalHost {
  readonly folder: string;
  /** The image's root filesystem, as cells get it. */
  readonly root: string;
  readonly identities: Identities;
  readonly visits: () => number;
  readonly isCanaryWhole: () => boolean;
}

export function baseline(host: LocalHost): Baseline {
  return {
    mounts: mountsOf(host),
    descriptors: readdirSync('/proc/self/fd').length,
    sharedMemory: sharedMemory(),
    ownMemory: process.memoryUsage.rss(),
    rootfs: rootfsDigest(host.root),
    run: exists('/run/rootcellar') ? readdirSync('/run/rootcellar').join(' ') : '',
    uids: new Set(processes(host.identities)),
    directories: cgroupDirectories(),
  };
}

/** What there is and was not there before. */
export function leftBehind(host: LocalHost, before: Baseline | undefined): readonly string[] {
  if (before === undefined) throw new Error('nothing to compare with');
  const now = baseline(host);
  return [
    ...[...now.uids].filter((uid) => !before.uids.has(uid)).map((uid) => `a process of uid ${uid}`),
    ...now.directories.filter((path) => !before.directories.includes(path)).map((path) => `control group ${path}`),
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

/** Those of our runs that are there now. */
function cgroupDirectories(): readonly string[] {
  return [...new Set(launchedPlans().flatMap(({ cgroups }) => cgroups?.directories ?? []))].filter(exists);
}

/** Mounts that the host sees below what the cells are made of. */
function mountsOf({ root, folder }: LocalHost): readonly string[] {
  const rows = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return rows.filter((row) => row.includes(root) || row.includes(folder) || row.includes('rootcellar-cell'));
}

/** Effective user ids, as far as they are ours, of all processes of the host; zombies too. */
function processes(identities: Identities): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => Number(/^Uid:\t(\d+)/m.exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? 0))
    .filter((uid) => isOurs(uid, identities));
}

function ownedFiles({ identities }: LocalHost): readonly string[] {
  return ['/tmp', '/var/tmp', '/dev/shm', '/run', '/run/rootcellar', '/dev/mqueue'].flatMap((folder) =>
    (exists(folder) ? readdirSync(folder) : [])
      .map((name) => join(folder, name))
      .filter((file) => isOurs(lstatSync(file, { throwIfNoEntry: false })?.uid ?? 0, identities)),
  );
}

function isOurs(uid: number, { firstUid, count }: Identities): boolean {
  return uid >= firstUid && uid < firstUid + count;
}

/** Bytes in tmpfs and shared mappings, which outlive the processes that made them. */
export function sharedMemory(): number {
  return Number(/^Shmem:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
}

const SAMPLE = [
  'etc/passwd',
  'etc/ld.so.cache',
  'usr/bin/python3',
  'usr/lib/python3/dist-packages/requests/__init__.py',
];
const FOLDERS = ['.', 'tmp', 'dev', 'run', 'etc', 'usr/lib/python3/dist-packages', 'var'];

/** Over bytes of some files, and names, times and modes in some folders. Slots of tier C are links to the same files. */
export function rootfsDigest(root: string, links: 'as many links' | 'any links' = 'as many links'): string {
  const hash = createHash('sha256');
  for (const file of SAMPLE.filter((name) => exists(join(root, name)))) hash.update(readFileSync(join(root, file)));
  for (const folder of FOLDERS.filter((name) => exists(join(root, name)))) {
    for (const name of readdirSync(join(root, folder)).toSorted()) {
      const { size, mode, mtimeMs, uid, nlink } = lstatSync(join(root, folder, name));
      hash.update(JSON.stringify([name, size, mode, mtimeMs, uid, links === 'any links' ? 0 : nlink]));
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
