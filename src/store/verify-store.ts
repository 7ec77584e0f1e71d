import { readdirSync, readlinkSync, rmSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestFromHex, type Digest } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { verifyArtifact } from './artifacts.ts';
import { parseImage, parseTree } from './image-record.ts';
import { treePath } from './images.ts';
import { findLeftovers } from './leftovers.ts';
import { parseRefreshRecord } from './refresh-history.ts';
import { compareFolder } from './rootfs-comparison.ts';
import type { Store, StoreFolder } from './store.ts';
import { faultsOf, statusOf, stray, type StoreFault, type StoreItem } from './store-fault.ts';
import { checkGenerations } from './verify-generations.ts';
import { verifyPack } from './verify-image.ts';

export interface StoreReport {
  readonly faults: readonly StoreFault[];
  /** What killed processes left. No faults: the next command that writes removes it. */
  readonly leftovers: readonly string[];
  /** How many things each folder has. */
  readonly checked: ReadonlyMap<StoreFolder, number>;
}

export interface StoreCheckOptions {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

type Check = (item: StoreItem) => Promise<readonly StoreFault[]>;

/** In the order in which things build on each other. A new folder of the store is a row here. */
const CHECKS: Readonly<Record<StoreFolder, Check>> = {
  tmp: async (item) => kindFault(item, 'folder', (status) => status.isDirectory()),
  locks: async (item) => kindFault(item, 'file', (status) => status.isFile()),
  uses: async (item) =>
    digestOfName(item.name) === undefined ? stray(item) : kindFault(item, 'file', (status) => status.isFile()),
  partial: async (item) =>
    /^[0-9a-f]{64}(?:\.from)?$/.test(item.name) ? kindFault(item, 'file', (status) => status.isFile()) : stray(item),
  artifacts: (item) => checkFile(item, (digest) => verifyArtifact(item.store, digest)),
  unpacked: (item) =>
    checkFile(item, async (digest) => {
      const [fault] = await verifyPack(item.store, digest);
      if (fault !== undefined) throw new RootcellarError('E_STORE_INVALID', fault);
    }),
  images: (item) => checkFile(item, async () => void parseTree(await readFile(item.path, 'utf8'))),
  names: checkGenerations,
  inputs: checkInputs,
  rootfs: checkRootfs,
  slots: async (item) => kindFault(item, 'folder', (status) => status.isDirectory()),
  refreshes: checkHistory,
};

/**
 * Reads everything in the store and says what is wrong: artifacts and unpacked artifacts by digest, trees, each generation
 * with the tar that it gives, the links to generations, and the folders that cells enter. Others may use the store at the same
 * time: what goes away while it is looked at is no fault. Changes nothing.
 */
export async function verifyStore(store: Store, { signal, progress }: StoreCheckOptions): Promise<StoreReport> {
  const faults: StoreFault[] = [];
  const checked = new Map<StoreFolder, number>();
  const folders = foldersOf(CHECKS).map((folder) => ({ folder, names: readdirSync(store.path(folder)) }));
  const total = { items: folders.reduce((sum, { names }) => sum + names.length, 0) };
  progress({ kind: 'begin', step: 'check', title: `check ${store.home}`, total });
  let items = 0;
  for (const { folder, names } of folders) {
    checked.set(folder, names.length);
    for (const name of names) {
      signal.throwIfAborted();
      const path = store.path(folder, name);
      faults.push(...(await CHECKS[folder]({ store, path, name, earlier: faults })));
      items += 1;
      progress({ kind: 'advance', step: 'check', done: { items }, detail: folder });
    }
  }
  progress({ kind: 'end', step: 'check', summary: `${total.items} things, ${faults.length} faults` });
  const present = faults.filter(({ path }) => statusOf(path) !== undefined);
  return { faults: present, leftovers: await findLeftovers(store.home, { remove: false }), checked };
}

/** Removes what `verifyStore` said is to be removed, and gives the faults that are left. */
export function repairStore(faults: readonly StoreFault[]): readonly StoreFault[] {
  const removable = new Set(faults.filter(({ remedy }) => remedy === 'remove').map(({ path }) => path));
  for (const path of removable) rmSync(path, { recursive: true, force: true });
  return faults.filter(({ path }) => !removable.has(path));
}

/** A regular file under the digest of what `check` looks at. */
async function checkFile(item: StoreItem, check: (digest: Digest) => Promise<void>): Promise<readonly StoreFault[]> {
  const digest = digestOfName(item.name);
  if (digest === undefined) return stray(item);
  const fault = kindFault(item, 'file', (status) => status.isFile());
  return fault.length > 0 ? fault : faultsOf(item.path, () => check(digest));
}

/** `inputs/KEY` leads to the generation that was built from these inputs. */
async function checkInputs(item: StoreItem): Promise<readonly StoreFault[]> {
  const { path, name } = item;
  if (digestOfName(name) === undefined) return stray(item);
  const fault = kindFault(item, 'link', (status) => status.isSymbolicLink());
  if (fault.length > 0) return fault;
  return faultsOf(path, async () => {
    const target = readlinkSync(path);
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      if (isErrno(cause, 'ENOENT') || isErrno(cause, 'ENOTDIR')) throw new Error(`leads to nothing: ${target}`);
      throw cause;
    });
    if (parseImage(text).inputsKey !== `sha256:${name}`) throw new Error(`leads to another image: ${target}`);
  });
}

/** What is remembered of the refreshes of one name. */
async function checkHistory(item: StoreItem): Promise<readonly StoreFault[]> {
  const fault = kindFault(item, 'folder', (status) => status.isDirectory());
  if (fault.length > 0) return fault;
  const faults: StoreFault[] = [];
  for (const name of readdirSync(item.path)) {
    const path = join(item.path, name);
    if (!/^[1-9]\d{0,8}\.json$/.test(name)) faults.push(...stray({ path }));
    else faults.push(...(await faultsOf(path, async () => void parseRefreshRecord(await readFile(path, 'utf8')))));
  }
  return faults;
}

const MOST_DIFFERENCES = 10;

async function checkRootfs(item: StoreItem): Promise<readonly StoreFault[]> {
  const { store, path, name, earlier } = item;
  // Behind the digest may stand the boot that made it: see `materialiseRootfs`.
  const diffId = digestOfName(name.replace(/\.[0-9a-f-]{1,64}$/, ''));
  if (diffId === undefined) return stray(item);
  const fault = kindFault(item, 'folder', (status) => status.isDirectory());
  if (fault.length > 0) return fault;
  const file = treePath(store, diffId);
  if (earlier.some((one) => one.path === file)) return [];
  if (statusOf(file) === undefined) return [{ path, message: `\`${path}\`: is of no image`, remedy: 'remove' }];
  const differences = await compareFolder(path, parseTree(await readFile(file, 'utf8')));
  return differences.slice(0, MOST_DIFFERENCES).map((message) => ({ path, message, remedy: 'remove' }));
}

function kindFault(item: StoreItem, kind: string, isKind: (status: Stats) => boolean): readonly StoreFault[] {
  const status = statusOf(item.path);
  if (status === undefined || isKind(status)) return [];
  return [{ path: item.path, message: `\`${item.path}\`: is no ${kind}`, remedy: 'move' }];
}

function digestOfName(name: string): Digest | undefined {
  return /^[0-9a-f]{64}$/.test(name) ? digestFromHex(name) : undefined;
}

function foldersOf(checks: Readonly<Record<StoreFolder, Check>>): readonly StoreFolder[] {
  const isFolder = (name: string): name is StoreFolder => Object.hasOwn(checks, name);
  return Object.keys(checks).filter(isFolder);
}
