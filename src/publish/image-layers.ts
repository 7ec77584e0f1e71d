import { createHash } from 'node:crypto';
import type { Entry, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { parentOf, type ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';

/** A part of an image: with the folders that its entries lie in, so that it is a tree of its own. */
export interface ImageLayer {
  /** What is in it: a package, `packages-0` to `packages-15`, `recipe.yaml`, `rootcellar`. */
  readonly title: string;
  readonly tree: Tree;
}

/** Engines take up to 127 layers. */
const MOST_OF_ONE_PACKAGE = 64;
/** Below, a layer of its own costs more than it saves. */
const LEAST_BYTES = 1024 ** 2;
const BUCKETS = 16;
/** What the build made itself: it changes with every package, and is small. */
const OWN = 'rootcellar';
/** Whose files are of no package that is known. */
const NOBODY = 'files';

/**
 * Divides an image so that a package that changes changes few layers: large packages have one each, the others are in one of
 * sixteen by their names, and what tells of all of them is in the last. A file is in one layer. A folder is in all that have
 * files below it, there with a time that they decide; in the last one with its own where that is another, because it has
 * the time of the newest of all packages. So all layers, each over those before it, are the tree.
 * Throws E_ARTIFACT_INVALID for a file whose name means another thing in a layer.
 */
export function imageLayers(tree: Tree): readonly ImageLayer[] {
  const owners = new Map<string, Entry[]>();
  for (const entry of tree.values()) {
    refuseWhiteout(entry);
    if (entry.kind !== 'directory') append(owners, ownerOf(tree, entry), [entry]);
  }
  const large = largeOwners(owners);
  const groups = new Map<string, Entry[]>();
  for (const [owner, entries] of owners) {
    append(groups, large.has(owner) || isTitle(owner) ? owner : `packages-${bucketOf(owner)}`, entries);
  }
  const layers = [...groups]
    .filter(([title]) => title !== OWN)
    .toSorted(([a], [b]) => byteOrder(a, b))
    .map(([title, entries]) => ({ title, tree: withFolders(tree, entries) }));
  const last = lastLayer(tree, groups.get(OWN) ?? [], layers);
  return last.size === 0 ? layers : [...layers, { title: OWN, tree: last }];
}

/** What is worth a layer of its own. */
function largeOwners(owners: ReadonlyMap<string, readonly Entry[]>): ReadonlySet<string> {
  return new Set(
    [...owners]
      .map(([owner, entries]) => ({ owner, bytes: entries.reduce((sum, entry) => sum + bytesOf(entry), 0) }))
      .filter(({ owner, bytes }) => bytes >= LEAST_BYTES && owner !== OWN)
      .toSorted((a, b) => b.bytes - a.bytes || byteOrder(a.owner, b.owner))
      .slice(0, MOST_OF_ONE_PACKAGE)
      .map(({ owner }) => owner),
  );
}

/** In place: a package may have a hundred thousand entries. */
function append(groups: Map<string, Entry[]>, key: string, entries: readonly Entry[]): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [...entries]);
  else for (const entry of entries) group.push(entry);
}

/** What came in such a layer leaves in it again. */
function isTitle(owner: string): boolean {
  return owner === OWN || /^packages-\d{1,2}$/.test(owner);
}

/** The package, without its version; a hard link is where its file is. */
function ownerOf(tree: Tree, entry: Entry): string {
  const { origin } = entry.kind === 'hardlink' ? (tree.get(entry.target) ?? entry) : entry;
  return origin.split(' ')[0] || NOBODY;
}

function bytesOf(entry: Entry): number {
  return entry.kind === 'file' ? entry.size : 0;
}

function bucketOf(owner: string): number {
  return (createHash('sha256').update(owner).digest()[0] ?? 0) % BUCKETS;
}

/** With the folders on the way, each as new as the newest of these entries below it. */
function withFolders(tree: Tree, entries: readonly Entry[]): Tree {
  const layer = new Map(entries.map((entry) => [entry.path, entry]));
  const newest = new Map<ImagePath, number>();
  for (const { path, mtime } of entries) {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      if ((newest.get(folder) ?? -1) >= mtime) break;
      newest.set(folder, mtime);
    }
  }
  for (const [path, mtime] of newest) {
    const entry = tree.get(path);
    if (entry !== undefined) layer.set(path, { ...entry, mtime });
  }
  return layer;
}

/** What the build made, and every folder that the layers below leave otherwise than it is. */
function lastLayer(tree: Tree, own: readonly Entry[], below: readonly ImageLayer[]): Tree {
  const times = new Map<ImagePath, number>();
  for (const layer of below) {
    for (const { kind, path, mtime } of layer.tree.values()) if (kind === 'directory') times.set(path, mtime);
  }
  const layer = new Map(own.map((entry) => [entry.path, entry]));
  const others = [...tree.values()].filter(
    ({ kind, path, mtime }) => kind === 'directory' && times.get(path) !== mtime,
  );
  for (const entry of [...own, ...others]) {
    layer.set(entry.path, entry);
    for (let path = parentOf(entry.path); path !== '' && !layer.has(path); path = parentOf(path)) {
      const folder = tree.get(path);
      if (folder !== undefined) layer.set(path, folder);
    }
  }
  return layer;
}

/** Source: OCI image specification, layer.md, "Whiteouts". */
function refuseWhiteout({ path }: Entry): void {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (!name.startsWith('.wh.')) return;
  throw new RootcellarError('E_ARTIFACT_INVALID', `\`${path}\`: a layer would take it for a removed file`, {
    hint: 'trim it in the recipe',
  });
}
