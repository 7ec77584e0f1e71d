import { join } from 'node:path/posix';
import { byteOrder } from '../base/byte-order.ts';
import type { Digest } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { readHostFile, type HostDisk, type HostFileFacts } from './host-disk.ts';
import { lookupIn, type TreeLookup } from './tree-lookup.ts';
import type { Contents, Entry } from './tree.ts';

/**
 * This machine as a tree, of which each entry is read when it is asked for, once: what searches images for libraries
 * searches a machine by the same code. It cannot be listed. What this user may not read is not there.
 */
export class HostTree extends Map<ImagePath, Entry> {
  readonly #disk: HostDisk;
  readonly #facts = new Map<ImagePath, HostFileFacts>();
  readonly #absent = new Set<ImagePath>();
  /** Where contents are that somebody may ask for. */
  readonly #paths = new Map<Digest, ImagePath>();

  constructor(disk: HostDisk) {
    super();
    this.#disk = disk;
  }

  override get(path: ImagePath): Entry | undefined {
    const known = super.get(path);
    if (known !== undefined || this.#absent.has(path)) return known;
    const entry = this.#entryAt(path);
    if (entry === undefined) this.#absent.add(path);
    else this.set(path, entry);
    return entry;
  }

  override has(path: ImagePath): boolean {
    return this.get(path) !== undefined;
  }

  /** What was read of the regular file at `path`. Throws E_HOST_FILE. */
  facts(path: ImagePath): HostFileFacts {
    const known = this.#facts.get(path);
    if (known !== undefined) return known;
    const facts = readHostFile(this.#disk, `/${path}`);
    this.#facts.set(path, facts);
    this.#paths.set(facts.digest, path);
    return facts;
  }

  /** Everything that was read so far. */
  read(): ReadonlyMap<ImagePath, HostFileFacts> {
    return this.#facts;
  }

  /** For what reads a tree: names come from the disk. */
  lookup(): TreeLookup {
    const own = lookupIn(this);
    const names = (path: string): readonly string[] => {
      const folder = own.find(path);
      if (folder === undefined || folder.file !== undefined) return [];
      return this.#disk
        .names(join('/', folder.path))
        .flatMap((name) => name ?? [])
        .toSorted(byteOrder);
    };
    return { find: (path) => own.find(path), names };
  }

  contents(): Contents {
    return {
      chunks: (digest) => {
        const path = this.#paths.get(digest);
        if (path === undefined) throw new Error('unreachable: a content that was never read');
        const chunks: Uint8Array[] = [];
        readHostFile(this.#disk, `/${path}`, (chunk) => chunks.push(Uint8Array.from(chunk)));
        return chunks;
      },
    };
  }

  #entryAt(path: ImagePath): Entry | undefined {
    const metadata = { path, mode: 0o644, uid: 0, gid: 0, mtime: 0, origin: 'host' };
    try {
      const thing = this.#disk.look(`/${path}`);
      if (thing === undefined || thing.kind === 'special') return undefined;
      if (thing.kind === 'folder') return { kind: 'directory', ...metadata };
      if (thing.kind === 'link') return { kind: 'symlink', ...metadata, target: thing.target };
      const { size, digest, elf } = this.facts(path);
      return { kind: 'file', ...metadata, mode: thing.mode, size, digest, elf };
    } catch (error) {
      if (error instanceof RootcellarError && error.code === 'E_HOST_FILE') return undefined;
      throw error;
    }
  }
}
