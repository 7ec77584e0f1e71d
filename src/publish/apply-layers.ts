import { followLinks } from '../assemble/link-walk.ts';
import { plainDirectory, sortedTree } from '../assemble/merge-tree.ts';
import type { DirectoryEntry, Entry, FileEntry, HardLinkEntry, SymlinkEntry, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';

/** One layer of an image, as its tar has it. */
export interface Layer {
  /** What its entries say in the tree that brought them. */
  readonly title: string;
  /** In byte order; hard links lead to files of this layer. */
  readonly entries: readonly Entry[];
  /** Whiteouts: what of the layers below is gone, with all below it. */
  readonly removed: readonly ImagePath[];
  /** Opaque whiteouts: folders whose contents in the layers below are gone. */
  readonly emptied: readonly ImagePath[];
  /** Hard links to files of the layers below. */
  readonly links: readonly HardLinkEntry[];
}

type Node = FileEntry | DirectoryEntry | SymlinkEntry;
/** Equal files are one: a hard link is a second path with the same object. */
type Nodes = Map<ImagePath, Node>;

/**
 * The tree that layers are together, the lowest first. Links in folders' paths are followed inside the image, as engines do.
 * Throws E_ARTIFACT_INVALID where something lies below what is no folder, or links lead in a circle or to nothing.
 * Source: OCI image specification 1.1, layer.md, "Applying Changesets".
 */
export function applyLayers(layers: readonly Layer[]): Tree {
  const nodes: Nodes = new Map();
  for (const layer of layers) applyLayer(nodes, layer);
  return asTree(nodes);
}

function applyLayer(nodes: Nodes, layer: Layer): void {
  const place = placesIn(nodes, layer);
  const kinds = new Map([...layer.entries, ...layer.links].map((entry) => [place(entry), entry.kind]));
  const replaced = [...kinds].filter(([path, kind]) => kind !== 'directory' && nodes.get(path)?.kind === 'directory');
  const gone = new Set([...layer.removed.map(placed(place)), ...replaced.map(([path]) => path)]);
  const emptied = new Set(layer.emptied.map((path) => place({ path: `${path}/.wh` })).map(parentOf));
  removeBelow(nodes, gone, emptied);
  const parents = new Set(layer.entries.map(({ path }) => parentOf(path)));
  const files = new Map<ImagePath, FileEntry>();
  for (const entry of layer.entries) {
    const path = place(entry);
    const node = nodeOf(entry, layer.title, files);
    if (node.kind === 'file') files.set(entry.path, node);
    const present = nodes.get(path);
    // A folder that is in a layer only on the way to others keeps what brought it.
    const keeps = node.kind === 'directory' && present?.kind === 'directory' && parents.has(entry.path);
    nodes.set(path, keeps ? { ...node, origin: present.origin } : node);
  }
  for (const link of layer.links) {
    const target = nodes.get(place({ path: link.target }));
    if (target?.kind !== 'file')
      throw invalid(layer, `\`/${link.path}\` is a hard link to \`/${link.target}\`, which is no file`);
    nodes.set(place(link), target);
  }
  for (const path of [...layer.entries, ...layer.links].map(place)) checkParent(nodes, path, layer);
}

type Place = (entry: Pick<Entry, 'path'>) => ImagePath;

function placed(place: Place): (path: ImagePath) => ImagePath {
  return (path) => place({ path });
}

/** Where something of a layer goes: its folder's links are followed, as they are above the layers below. */
function placesIn(nodes: Nodes, layer: Layer): Place {
  const own = new Map(layer.entries.map((entry) => [entry.path, entry]));
  const targetOf = (path: ImagePath): string | undefined => {
    const entry = own.get(path) ?? nodes.get(path);
    return entry?.kind === 'symlink' ? entry.target : undefined;
  };
  const folders = new Map<ImagePath, ImagePath>([['', '']]);
  return ({ path }) => {
    const folder = parentOf(path);
    const known = folders.get(folder) ?? followLinks(folder, targetOf);
    if (known === undefined) throw invalid(layer, `\`/${path}\` lies behind links that lead in a circle`);
    folders.set(folder, known);
    return known === '' ? nameOf(path) : `${known}/${nameOf(path)}`;
  };
}

/** One walk over all, however many whiteouts there are. */
function removeBelow(nodes: Nodes, gone: ReadonlySet<ImagePath>, emptied: ReadonlySet<ImagePath>): void {
  if (gone.size === 0 && emptied.size === 0) return;
  const judged = new Map<ImagePath, boolean>([['', false]]);
  const isGone = (path: ImagePath): boolean => {
    const before = judged.get(path);
    if (before !== undefined) return before;
    const parent = parentOf(path);
    const result = gone.has(path) || emptied.has(parent) || isGone(parent);
    judged.set(path, result);
    return result;
  };
  for (const path of nodes.keys()) if (isGone(path)) nodes.delete(path);
}

/** A new object, but for a hard link: then that of its file. */
function nodeOf(entry: Entry, title: string, files: ReadonlyMap<ImagePath, FileEntry>): Node {
  if (entry.kind !== 'hardlink') return { ...entry, origin: title };
  const file = files.get(entry.target);
  if (file === undefined) throw new Error(`unreachable: /${entry.path} is a hard link to no file`);
  return file;
}

function checkParent(nodes: Nodes, path: ImagePath, layer: Layer): void {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) {
    const node = nodes.get(parent);
    if (node?.kind === 'directory') return;
    if (node !== undefined) throw invalid(layer, `\`/${path}\` lies below \`/${parent}\`, which is no folder`);
  }
}

/** Of files that are one, the first path is the file and the others link to it. */
function asTree(nodes: Nodes): Tree {
  const firsts = new Map<FileEntry, ImagePath>();
  const entries: Entry[] = [];
  for (const [path, node] of [...nodes].toSorted(([a], [b]) => byteOrder(a, b))) {
    const first = node.kind === 'file' ? firsts.get(node) : undefined;
    if (first === undefined) {
      if (node.kind === 'file') firsts.set(node, path);
      entries.push(node.path === path ? node : { ...node, path });
      continue;
    }
    const { uid, gid, mtime, origin } = node;
    entries.push({ kind: 'hardlink', path, mode: 0o777, uid, gid, mtime, origin, target: first });
  }
  return sortedTree([...entries, ...missingParents(nodes)]);
}

function missingParents(nodes: Nodes): readonly DirectoryEntry[] {
  const missing = new Set<ImagePath>();
  for (const path of nodes.keys()) {
    for (let parent = parentOf(path); parent !== '' && !nodes.has(parent); parent = parentOf(parent))
      missing.add(parent);
  }
  return [...missing].map(plainDirectory);
}

function invalid({ title }: Layer, fault: string): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `layer \`${title}\`: ${fault}`, {
    hint: 'make the image again with another tool, such as skopeo or buildah',
  });
}
