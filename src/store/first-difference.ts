import { compareTrees, fileOf, type EntryDifference } from '../assemble/tree-difference.ts';
import type { Contents, FileEntry, Tree } from '../assemble/tree.ts';
import type { ImagePath } from '../base/image-path.ts';

export interface FilledTree {
  readonly tree: Tree;
  readonly contents: Contents;
}

/** The first thing in which two trees differ at a path. */
export interface PathDifference {
  readonly path: ImagePath;
  /** `entry` where one has nothing there, `order` where only the order of entries differs. */
  readonly field: string;
  /** Bytes as two hex digits, `end` behind the last; else the field's value. */
  readonly before: string;
  readonly after: string;
  /** Of the first byte that differs, for contents. */
  readonly offset: number | undefined;
}

/** One element for each path that differs, in byte order of path. */
export function firstDifferences(before: FilledTree, after: FilledTree): readonly PathDifference[] {
  const differences = compareTrees(before.tree, after.tree);
  if (differences.length > 0) return differences.map((difference) => firstOf(difference, before, after));
  const now = [...after.tree.keys()];
  const place = [...before.tree.keys()].findIndex((path, index) => path !== now[index]);
  const path = now[place];
  if (path === undefined) return [];
  return [
    { path, field: 'order', before: `/${[...before.tree.keys()][place] ?? ''}`, after: `/${path}`, offset: undefined },
  ];
}

function firstOf(difference: EntryDifference, before: FilledTree, after: FilledTree): PathDifference {
  const { path } = difference;
  if (difference.change !== 'changed') {
    const [old, now] =
      difference.change === 'added' ? ['nothing', difference.after.kind] : [difference.before.kind, 'nothing'];
    return { path, field: 'entry', before: old, after: now, offset: undefined };
  }
  const [first] = difference.fields;
  const old = fileOf({ entry: difference.before, tree: before.tree });
  const now = fileOf({ entry: difference.after, tree: after.tree });
  if (first?.field === 'content' && old !== undefined && now !== undefined) {
    return { path, field: 'content', ...firstByte(bytesOf(old, before), bytesOf(now, after)) };
  }
  const { field = 'entry', before: was = 'nothing', after: is = 'nothing' } = first ?? {};
  return { path, field, before: was, after: is, offset: undefined };
}

function* bytesOf({ digest, size }: FileEntry, { contents }: FilledTree): Generator<Uint8Array, void, undefined> {
  // The buffer of a chunk is used again for the next one, and two contents are read by turns.
  for (const chunk of contents.chunks(digest, size)) yield Uint8Array.from(chunk);
}

type Bytes = Iterator<Uint8Array, void, undefined>;

function firstByte(before: Bytes, after: Bytes): Pick<PathDifference, 'before' | 'after' | 'offset'> {
  let [old, now]: [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()];
  for (let offset = 0; ;) {
    if (old.length === 0) old = nextOf(before);
    if (now.length === 0) now = nextOf(after);
    const length = Math.min(old.length, now.length);
    const at = old.subarray(0, length).findIndex((byte, index) => byte !== now[index]);
    if (at >= 0 || length === 0) {
      const place = Math.max(0, at);
      return { before: byteText(old[place]), after: byteText(now[place]), offset: offset + place };
    }
    old = old.subarray(length);
    now = now.subarray(length);
    offset += length;
  }
}

/** Empty at the end, and only there. */
function nextOf(bytes: Bytes): Uint8Array {
  for (let next = bytes.next(); next.done !== true; next = bytes.next()) {
    if (next.value.length > 0) return next.value;
  }
  return new Uint8Array();
}

function byteText(byte: number | undefined): string {
  return byte === undefined ? 'end' : byte.toString(16).padStart(2, '0');
}
