import * as fc from 'fast-check';
import type {
  Contents,
  DirectoryEntry,
  Entry,
  FileEntry,
  HardLinkEntry,
  SymlinkEntry,
  Tree,
} from '../../src/assemble/tree.ts';
import { byteOrder } from '../../src/base/byte-order.ts';
import { digestOf } from '../../src/base/digest.ts';
import { parentOf } from '../../src/base/image-path.ts';

/** A tree with the contents of its files. */
export interface FilledTree {
  readonly tree: Tree;
  readonly contents: Contents;
}

const METADATA = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000, origin: 'test' };

type Facts = Partial<Pick<Entry, 'mode' | 'uid' | 'gid' | 'mtime'>>;

/** An entry, with its content if it is a file. */
export type TreePart = DirectoryEntry | SymlinkEntry | HardLinkEntry | readonly [FileEntry, Uint8Array];

export function directory(path: string, facts: Facts = {}): DirectoryEntry {
  return { ...METADATA, mode: 0o755, ...facts, kind: 'directory', path };
}

export function file(path: string, content: Uint8Array | string, facts: Facts = {}): [FileEntry, Uint8Array] {
  const bytes = Buffer.from(content);
  return [{ ...METADATA, ...facts, kind: 'file', path, size: bytes.length, digest: digestOf(bytes) }, bytes];
}

export function symlink(path: string, target: string, facts: Facts = {}): SymlinkEntry {
  return { ...METADATA, ...facts, mode: 0o777, kind: 'symlink', path, target };
}

export function hardLink(path: string, target: string): HardLinkEntry {
  return { ...METADATA, kind: 'hardlink', path, target };
}

/** Contents come in chunks of `chunkBytes`, through one reused buffer, as a store may do it. */
export function filledTree(parts: readonly TreePart[], chunkBytes: number = 64 * 1024): FilledTree {
  const bytes = new Map<string, Uint8Array>();
  const tree = new Map<string, Entry>();
  for (const part of parts) {
    const [entry, content] = 'kind' in part ? [part, new Uint8Array()] : part;
    tree.set(entry.path, entry);
    if (entry.kind === 'file') bytes.set(entry.digest, content);
  }
  return {
    tree,
    contents: {
      *chunks(digest) {
        const content = bytes.get(digest) ?? new Uint8Array();
        const buffer = new Uint8Array(chunkBytes);
        for (let at = 0; at < content.length; at += chunkBytes) {
          const chunk = content.subarray(at, at + chunkBytes);
          buffer.set(chunk);
          yield buffer.subarray(0, chunk.length);
          buffer.fill(0xee);
        }
      },
    },
  };
}

const NAME = fc
  .oneof(
    fc.stringMatching(/^[a-z.-]{1,8}$/),
    fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
    fc.stringMatching(/^[a-z]{90,120}$/),
  )
  .map((name) => name.replaceAll(/[/\0\\\n\r"']/g, '_'))
  .filter((name) => name !== '.' && name !== '..');

const PATH = fc.array(NAME, { minLength: 1, maxLength: 5 }).map((names) => names.join('/'));

const FACTS = fc.record({
  mode: fc.integer({ min: 0, max: 0o1777 }),
  uid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4_000_000 })),
  gid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4_000_000 })),
  mtime: fc.integer({ min: 0, max: 2 ** 33 - 1 }),
});

const LEAF = fc.record({
  path: PATH,
  facts: FACTS,
  what: fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc.string({ minLength: 1, maxLength: 150 }).map((text) => text.replaceAll(/[\0\\\n\r]/g, '_')),
    fc.constant(undefined),
  ),
});

/** Trees that hold together: all parents are folders, hard links lead to files before them. */
export const TREES: fc.Arbitrary<FilledTree> = fc.array(LEAF, { maxLength: 12 }).map((leaves) => {
  const parts = new Map<string, TreePart>();
  let firstFile: string | undefined;
  for (const { path, facts, what } of leaves.toSorted((a, b) => byteOrder(a.path, b.path))) {
    const parents = ancestors(path);
    if (parts.has(path) || !parents.every((parent) => isDirectory(parts.get(parent)))) continue;
    for (const parent of parents) if (!parts.has(parent)) parts.set(parent, directory(parent, facts));
    if (typeof what === 'string') parts.set(path, symlink(path, what, facts));
    else if (what instanceof Uint8Array) parts.set(path, file(path, what, facts));
    else if (firstFile !== undefined) parts.set(path, hardLink(path, firstFile));
    if (what instanceof Uint8Array) firstFile ??= path;
  }
  return filledTree([...parts.values()], 1000);
});

function isDirectory(part: TreePart | undefined): boolean {
  return part === undefined || ('kind' in part && part.kind === 'directory');
}

function ancestors(path: string): string[] {
  const parents: string[] = [];
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) parents.unshift(parent);
  return parents;
}
