import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestFromHex, hexOf, type Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { writeDurably } from './durable-file.ts';
import { listFrom, recordFrom, textFrom } from './json-shape.ts';
import type { Store } from './store.ts';

export interface RememberedFile {
  readonly path: string;
  readonly digest: Digest;
  /** Everything of its inode that changes with its content. */
  readonly stamp: string;
  /** When its inode changed last, in milliseconds since 1970. */
  readonly changedMs: number;
}

/** The digests that files outside of the store had, as long as their inodes stay as they were. */
export interface FileMemory {
  digestOf(path: string, stamp: string): Digest | undefined;
  remember(file: RememberedFile): void;
  /** Writes it, if anything is new. */
  save(): Promise<void>;
}

export interface MemoryOptions {
  readonly path: string;
  /** When this process began, in seconds since 1970. */
  readonly now: number;
}

/** Files that changed this recently, or in the future, may change again without another time: no clock ticks that finely. */
const SETTLED_MS = 3000;

/** A memory that is damaged is empty: then files are read. */
export async function openFileMemory(store: Store, { path, now }: MemoryOptions): Promise<FileMemory> {
  const files = await readMemory(path);
  let isNew = false;
  return {
    digestOf: (file, stamp) => {
      const known = files.get(file);
      return known?.stamp === stamp ? known.digest : undefined;
    },
    remember: ({ path: file, digest, stamp, changedMs }) => {
      if (changedMs > now * 1000 - SETTLED_MS || files.get(file)?.stamp === stamp) return;
      files.set(file, { stamp, digest });
      isNew = true;
    },
    save: async () => {
      if (!isNew) return;
      await mkdir(dirname(path), { recursive: true });
      const rows = Array.from(files, ([file, { stamp, digest }]) => [file, stamp, hexOf(digest)]);
      await writeDurably(store, path, canonicalJson({ files: rows }));
      isNew = false;
    },
  };
}

type Known = Pick<RememberedFile, 'stamp' | 'digest'>;

async function readMemory(path: string): Promise<Map<string, Known>> {
  const files = new Map<string, Known>();
  const text = await readText(path);
  if (text === undefined) return files;
  try {
    for (const row of listFrom(recordFrom(JSON.parse(text))['files'])) {
      const [file, stamp, hex] = listFrom(row).map(textFrom);
      const digest = digestFromHex(hex ?? '');
      if (file !== undefined && stamp !== undefined && digest !== undefined) files.set(file, { stamp, digest });
    }
    return files;
  } catch {
    return new Map();
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
