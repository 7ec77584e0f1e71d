import type { EntryDifference } from '../assemble/tree-difference.ts';
import type { Entry } from '../assemble/tree.ts';
import type { Json } from '../base/canonical-json.ts';
import type { Compared, Comparison, FileDifference } from '../compare-images.ts';

export interface ComparedSides {
  readonly before: Compared;
  readonly after: Compared;
}

/** All of a comparison, for programs. */
export function comparisonJson(
  comparison: Comparison,
  { before, after }: ComparedSides,
): { readonly [key: string]: Json } {
  const { packages, settings, files, sizes, isSame } = comparison;
  return {
    same: isSame,
    before: sideJson(before),
    after: sideJson(after),
    packages: packages.map(({ kind, name, change, before: old, after: now }) => ({
      kind,
      name,
      change,
      before: old,
      after: now,
    })),
    settings,
    sizes: sizes.map(({ owner, before: old, after: now }) => ({ package: owner, before: old, after: now })),
    files: files?.map(fileJson) ?? null,
  };
}

function sideJson(side: Compared): Json {
  if (side.kind === 'lock') return { label: side.label, architecture: side.architecture };
  const { name, architecture, diffId, size, generation } = side.image;
  return { label: side.label, name, architecture, diff_id: diffId, size, generation };
}

function fileJson({ difference, owner, reason }: FileDifference): Json {
  const { change, path } = difference;
  return { path: `/${path}`, change, package: owner, reason: { ...reason }, ...detailsJson(difference) };
}

function detailsJson(difference: EntryDifference): { readonly [key: string]: Json } {
  if (difference.change === 'added') return { entry: entryJson(difference.after) };
  if (difference.change === 'removed') return { entry: entryJson(difference.before) };
  return { fields: difference.fields.map(({ field, before, after }) => ({ field, before, after })) };
}

function entryJson(entry: Entry): Json {
  const { kind, mode, uid, gid, mtime } = entry;
  const common = { kind, mode: mode.toString(8).padStart(4, '0'), uid, gid, mtime };
  if (entry.kind === 'file') return { ...common, size: entry.size, digest: entry.digest };
  return entry.kind === 'directory' ? common : { ...common, target: entry.target };
}
