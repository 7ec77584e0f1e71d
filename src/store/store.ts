import { access, chmod, constants, mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { writeDurably } from './durable-file.ts';
import { checkOwnFolders } from './own-folders.ts';
import { recordFrom } from './json-shape.ts';
import type { PackIndex } from './pack-index.ts';
import type { Digest } from '../base/digest.ts';
import { closeSession, openSession } from './session.ts';
import type { Session } from './session.ts';
import { onDisk } from './store-error.ts';

/** The version of the folder's own shape. */
const LAYOUT = 1;
/** Once it is there it stays as it is, so it can be locked for all of the store. */
export const LAYOUT_FILE = 'rootcellar-store.json';

/** Modes: artifacts may be private and files of an image may be writable for all, so only the owner enters. */
const FOLDERS = {
  artifacts: 0o700,
  partial: 0o700,
  unpacked: 0o700,
  images: 0o700,
  names: 0o700,
  inputs: 0o700,
  rootfs: 0o700,
  /** Roots for cells that cannot mount one, each with the files of a folder of `rootfs`. */
  slots: 0o700,
  /** What is remembered of refreshes, a folder for each name. */
  refreshes: 0o700,
  /** A file for each image that was run, which its cells lock. */
  uses: 0o700,
  locks: 0o700,
  /** Entered by the unprivileged user who compiles bytecode. */
  tmp: 0o711,
} as const;

/** What else a store without its layout file may hold: that of a quicker process, resolvers' lists, recipes of services, what a new disk has. */
const HARMLESS: ReadonlySet<string> = new Set([LAYOUT_FILE, 'lost+found', 'cache', 'served']);
const OWN_FOLDERS: readonly string[] = [...Object.keys(FOLDERS), 'cache', 'served'];

export type StoreFolder = keyof typeof FOLDERS;

/** Everything that is kept by digest, in one folder. Holds a locked temporary folder once something was written. */
export class Store {
  readonly home: string;
  /** Indexes of unpacked artifacts that this process has read; their files never change. */
  readonly packIndexes: Map<Digest, PackIndex> = new Map();
  #session: Promise<Session> | undefined;
  #temporaryNames = 0;

  private constructor(home: string) {
    this.home = home;
  }

  /**
   * Opens the store in the folder `home` (absolute), and makes it when there is no such folder or it is empty.
   * Throws E_STORE_NEWER when a newer version wrote it, E_STORE_INVALID when the folder is something else or
   * `checkOwnFolders` refuses it; both leave it as it is. `trusted`: a user of whom root takes a store, besides its own.
   */
  static async open({
    home,
    trusted,
  }: {
    readonly home: string;
    readonly trusted?: number | undefined;
  }): Promise<Store> {
    const store = new Store(home);
    await onDisk(home, async () => {
      checkOwnFolders(home, OWN_FOLDERS, trusted);
      await openLayout(store);
    });
    return store;
  }

  path(folder: StoreFolder, ...names: readonly string[]): string {
    return join(this.home, folder, ...names);
  }

  /** Begins what the first temporary name waits for, another process's start, beside what the caller does meanwhile. */
  expectWriting(): void {
    // Whoever asks for a name is told what went wrong.
    this.#openSession().catch(() => undefined);
  }

  /** A name in this process's temporary folder that nothing has yet. What is left there goes when the process ends. */
  async temporaryPath(): Promise<string> {
    const { folder } = await onDisk(this.home, () => this.#openSession());
    this.#temporaryNames += 1;
    return join(folder, `${this.#temporaryNames}`);
  }

  /** Removes this process's temporary files. The store may be used again. */
  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) closeSession(await session);
  }

  /** One for all callers; after a failure the next caller tries again. */
  async #openSession(): Promise<Session> {
    this.#session ??= openSession(this.home);
    const session = this.#session;
    try {
      return await session;
    } catch (error) {
      if (this.#session === session) this.#session = undefined;
      throw error;
    }
  }
}

async function openLayout(store: Store): Promise<void> {
  const file = join(store.home, LAYOUT_FILE);
  const text = await readLayoutFile(store.home, file);
  if (text === undefined) {
    await createLayout(store);
    return;
  }
  checkLayout(store.home, text);
  await restoreFolders(store);
  await access(store.path('names'), constants.R_OK | constants.X_OK);
}

async function readLayoutFile(home: string, file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    if (isErrno(error, 'ENOTDIR') || isErrno(error, 'EISDIR')) throw notAStore(home, error);
    throw error;
  }
}

/** What cannot be read may be of a newer version: nobody is told to remove it. */
function checkLayout(home: string, text: string): void {
  const known = /^\{"layout":([1-9]\d{0,8})[,}]/.exec(text)?.[1];
  if (known !== undefined && Number(known) <= LAYOUT) return;
  const hint = 'npm install --global rootcellar@latest, or set ROOTCELLAR_HOME to another folder';
  if (known === undefined && !hasOtherVersion(text)) {
    const message = `\`${join(home, LAYOUT_FILE)}\`: is not a description of a store`;
    throw new RootcellarError('E_STORE_INVALID', message, { hint });
  }
  const found = known === undefined ? 'is of a newer version' : `has layout ${known}`;
  throw new RootcellarError('E_STORE_NEWER', `store \`${home}\`: ${found}, newest known is ${LAYOUT}`, { hint });
}

/** An object of other members than ours. */
function hasOtherVersion(text: string): boolean {
  try {
    const members = Object.keys(recordFrom(JSON.parse(text)));
    return members.length > 0 && !members.includes('layout');
  } catch {
    return false;
  }
}

/** The layout file comes last, so a folder that holds nothing but our folders is one that was not finished. */
async function createLayout(store: Store): Promise<void> {
  await createHome(store.home);
  const names = await readdir(store.home);
  if (!names.every((name) => Object.hasOwn(FOLDERS, name) || HARMLESS.has(name))) throw notAStore(store.home);
  await chmod(store.home, 0o711);
  await Promise.all(Object.entries(FOLDERS).map(([name, mode]) => createFolder(join(store.home, name), mode)));
  await writeDurably(store, join(store.home, LAYOUT_FILE), `{"layout":${LAYOUT}}\n`);
}

/** Parents first, each once: Node's own recursive mkdir never ends below /proc. */
async function createHome(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    if (isErrno(error, 'EROFS')) throw error;
    if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM')) {
      throw new RootcellarError('E_STORE_INVALID', `\`${path}\`: cannot be made by this user`, {
        hint: 'export ROOTCELLAR_HOME="$HOME/rootcellar"',
        cause: error,
      });
    }
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw notAStore(path, error);
    await createHome(dirname(path));
    await mkdir(path).catch((cause: unknown) => {
      throw isErrno(cause, 'ENOENT') ? notAStore(path, cause) : cause;
    });
  }
}

/** Folders that somebody removed come back empty: what was in them is made again. */
async function restoreFolders(store: Store): Promise<void> {
  const names = new Set(await readdir(store.home));
  const missing = Object.entries(FOLDERS).filter(([name]) => !names.has(name));
  await Promise.all(missing.map(([name, mode]) => createFolder(join(store.home, name), mode)));
}

/** The umask does not count here. */
async function createFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}

function notAStore(home: string, cause?: unknown): RootcellarError {
  return new RootcellarError('E_STORE_INVALID', `\`${home}\`: is not a store, and not an empty folder`, {
    hint: 'export ROOTCELLAR_HOME=/path/of/an/empty/folder',
    cause,
  });
}
