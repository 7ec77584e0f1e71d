import { byteOrder } from '../base/byte-order.ts';
import type { ImagePath } from '../base/image-path.ts';
import type { Entry, FileEntry, Tree } from './tree.ts';

/** What two entries with one path may differ in. `content` is that of the file behind a hard link too. */
export type EntryField = 'kind' | 'content' | 'size' | 'target' | 'mode' | 'uid' | 'gid' | 'mtime';

export interface FieldDifference {
  readonly field: EntryField;
  /** As text: octal modes, digests, whole numbers; undefined where an entry of that kind has no such field. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export type EntryDifference =
  | { readonly change: 'added'; readonly path: ImagePath; readonly after: Entry }
  | { readonly change: 'removed'; readonly path: ImagePath; readonly before: Entry }
  | {
      readonly change: 'changed';
      readonly path: ImagePath;
      readonly before: Entry;
      readonly after: Entry;
      /** Not empty. */
      readonly fields: readonly FieldDifference[];
    };

/** Everything that differs between two trees, in byte order of path. Where entries come from does not count. */
export function compareTrees(before: Tree, after: Tree): readonly EntryDifference[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].toSorted(byteOrder);
  return paths.flatMap((path): EntryDifference[] => {
    const [old, now] = [before.get(path), after.get(path)];
    if (old === undefined) return now === undefined ? [] : [{ change: 'added', path, after: now }];
    if (now === undefined) return [{ change: 'removed', path, before: old }];
    const fields = compareEntries({ entry: old, tree: before }, { entry: now, tree: after });
    return fields.length === 0 ? [] : [{ change: 'changed', path, before: old, after: now, fields }];
  });
}

/** The file that an entry is or, as a hard link, is one with. */
export function fileOf({ entry, tree }: PlacedEntry): FileEntry | undefined {
  if (entry.kind === 'file') return entry;
  const target = entry.kind === 'hardlink' ? tree.get(entry.target) : undefined;
  return target?.kind === 'file' ? target : undefined;
}

export interface PlacedEntry {
  readonly entry: Entry;
  readonly tree: Tree;
}

function compareEntries(before: PlacedEntry, after: PlacedEntry): readonly FieldDifference[] {
  const [old, now] = [factsOf(before), factsOf(after)];
  return old.flatMap(([field, value], index) => {
    const other = now[index]?.[1];
    return value === other ? [] : [{ field, before: value, after: other }];
  });
}

function factsOf(placed: PlacedEntry): readonly (readonly [EntryField, string | undefined])[] {
  const { entry } = placed;
  const file = fileOf(placed);
  return [
    ['kind', entry.kind],
    ['content', file?.digest],
    ['size', file === undefined ? undefined : String(file.size)],
    ['target', entry.kind === 'symlink' || entry.kind === 'hardlink' ? entry.target : undefined],
    ['mode', entry.kind === 'symlink' ? undefined : (file ?? entry).mode.toString(8).padStart(4, '0')],
    ['uid', String(entry.uid)],
    ['gid', String(entry.gid)],
    ['mtime', String(entry.mtime)],
  ];
}
