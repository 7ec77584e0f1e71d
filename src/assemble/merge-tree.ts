import { byteOrder } from '../base/byte-order.ts';
import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import { isMeant, type DebRelation } from './deb-control.ts';
import { followLinks } from './link-walk.ts';
import type { DirectoryEntry, Entry, FileEntry, SymlinkEntry, Tree } from './tree.ts';

/** What one package brings. */
export interface MergePart {
  readonly name: string;
  readonly version: string;
  readonly entries: readonly Entry[];
  /** Packages whose files it may take over; `everything` for what a user puts into an image on purpose. */
  readonly replaces: readonly DebRelation[] | 'everything';
  /** Whether what any other package brings wins: what a host has is only the ground that packages stand on. */
  readonly yields?: boolean | undefined;
}

/** An entry on its way into the tree. A hard link is the file that it is one with, until all have found their places. */
interface Candidate {
  readonly part: MergePart;
  readonly path: ImagePath;
  readonly entry: FileEntry | DirectoryEntry | SymlinkEntry;
  /** Equal for files that are one. */
  readonly file: FileEntry | undefined;
}

const MOST_PROBLEMS = 20;
const MOST_ROUNDS = 40;

/**
 * The tree of several packages; the order of `parts` does not matter. Folders are shared. What one package has below a
 * folder that is a symbolic link in another goes where the link leads, inside the image. Equal files are shared; of
 * different ones that wins whose package replaces the other. Missing parents are made, for root, with mode 0755.
 *
 * E_FILE_CONFLICT: two packages bring different things for one path. E_ARTIFACT_INVALID: links lead in a circle.
 */
export function mergeArtifacts(parts: readonly MergePart[]): Tree {
  const sorted = parts.toSorted((a, b) => byteOrder(a.name, b.name) || byteOrder(a.version, b.version));
  const candidates = followedLinks(sorted.flatMap(candidatesOf));
  const winners = new Map<ImagePath, Candidate>();
  const problems: Problem[] = [];
  for (const [path, rivals] of groupedByPath(candidates)) {
    const winner = winnerOf(rivals);
    if (winner === undefined) problems.push(conflict(path, rivals));
    else winners.set(path, winner);
  }
  problems.push(...filesAsFolders(winners));
  const first = problems.toSorted((a, b) => byteOrder(a.message, b.message)).slice(0, MOST_PROBLEMS);
  if (first.length > 0) throw RootcellarError.ofProblems(first);
  return sortedTree([...withHardLinks(winners), ...missingParents(winners)]);
}

/** The same entries, in byte order of path: how every tree is kept. */
export function sortedTree(entries: readonly Entry[]): Tree {
  const tree = new Map<ImagePath, Entry>();
  for (const entry of entries.toSorted((a, b) => byteOrder(a.path, b.path))) tree.set(entry.path, entry);
  return tree;
}

/** A folder that nothing brings and something needs. */
export function plainDirectory(path: ImagePath): DirectoryEntry {
  return { kind: 'directory', path, mode: 0o755, uid: 0, gid: 0, mtime: 0, origin: 'rootcellar' };
}

function candidatesOf(part: MergePart): readonly Candidate[] {
  const hasLinks = part.entries.some(({ kind }) => kind === 'hardlink');
  const files = new Map(
    hasLinks ? part.entries.flatMap((entry) => (entry.kind === 'file' ? [[entry.path, entry]] : [])) : [],
  );
  return part.entries.map((entry): Candidate => {
    if (entry.kind === 'file') return { part, path: entry.path, entry, file: entry };
    if (entry.kind !== 'hardlink') return { part, path: entry.path, entry, file: undefined };
    const file = files.get(entry.target);
    if (file === undefined) throw new Error(`unreachable: ${part.name}: /${entry.path} is a hard link to no file`);
    return { part, path: entry.path, entry: file, file };
  });
}

/**
 * Moves candidates that lie behind symbolic links. Moving a link can put others behind it, so this goes on until nothing
 * moves; each round starts from the packages' own paths, which makes the result independent of any order.
 */
function followedLinks(candidates: readonly Candidate[]): readonly Candidate[] {
  let placed = candidates;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const next = placedBehindLinks(candidates, linksOf(placed));
    if (next.every(({ path }, index) => path === placed[index]?.path)) return next;
    placed = next;
  }
  throw new RootcellarError('E_ARTIFACT_INVALID', 'the packages: their symbolic links lead in circles');
}

function linksOf(candidates: readonly Candidate[]): ReadonlyMap<ImagePath, string> {
  const links = candidates.flatMap(({ path, entry }) =>
    entry.kind === 'symlink' ? [[path, entry.target] as const] : [],
  );
  return new Map(links.toSorted((a, b) => byteOrder(a[0], b[0]) || byteOrder(a[1], b[1])));
}

function placedBehindLinks(
  candidates: readonly Candidate[],
  links: ReadonlyMap<ImagePath, string>,
): readonly Candidate[] {
  const folders = new Map<ImagePath, ImagePath>();
  const isPlain = plainFolders(links);
  return candidates.map((candidate) => {
    const own = candidate.path;
    const folder = candidate.entry.kind === 'directory' ? own : parentOf(own);
    const followed = folders.get(folder) ?? (isPlain(folder) ? folder : followLinks(folder, (path) => links.get(path)));
    if (followed === undefined) {
      const text = `${label(candidate.part)}: \`/${own}\` lies behind links that lead in a circle`;
      throw new RootcellarError('E_ARTIFACT_INVALID', text);
    }
    folders.set(folder, followed);
    if (followed === folder) return candidate;
    if (candidate.entry.kind === 'directory') return { ...candidate, path: followed };
    return { ...candidate, path: followed === '' ? nameOf(own) : `${followed}/${nameOf(own)}` };
  });
}

/** Whether no component of a folder's path is a link: nearly all are so, and need no walk. */
function plainFolders(links: ReadonlyMap<ImagePath, string>): (folder: ImagePath) => boolean {
  const known = new Map<ImagePath, boolean>([['', true]]);
  const isPlain = (folder: ImagePath): boolean => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    const plain = !links.has(folder) && isPlain(parentOf(folder));
    known.set(folder, plain);
    return plain;
  };
  return isPlain;
}

function groupedByPath(candidates: readonly Candidate[]): ReadonlyMap<ImagePath, readonly Candidate[]> {
  const groups = new Map<ImagePath, Candidate[]>();
  for (const candidate of candidates) {
    if (candidate.path === '') continue;
    const group = groups.get(candidate.path);
    if (group === undefined) groups.set(candidate.path, [candidate]);
    else group.push(candidate);
  }
  return groups;
}

/** Undefined when the rivals contradict each other. */
function winnerOf(rivals: readonly Candidate[]): Candidate | undefined {
  const [only] = rivals;
  if (rivals.length === 1) return only;
  const sorted = rivals.toSorted(byPart);
  const entitled = sorted.filter((one) => rivals.every((other) => isSameThing(one, other) || replaces(one, other)));
  const [winner] = entitled;
  if (winner === undefined) return undefined;
  return entitled.every((other) => isSameThing(winner, other)) ? winner : undefined;
}

function byPart(a: Candidate, b: Candidate): number {
  return (
    byteOrder(a.part.name, b.part.name) || byteOrder(a.part.version, b.part.version) || metadataOrder(a.entry, b.entry)
  );
}

/** Only where one package brings one thing twice, from two places that links make one. */
function metadataOrder(a: Entry, b: Entry): number {
  return byteOrder(a.path, b.path) || a.mode - b.mode || a.uid - b.uid || a.gid - b.gid || a.mtime - b.mtime;
}

function isSameThing({ entry: a }: Candidate, { entry: b }: Candidate): boolean {
  if (a.kind === 'file') return b.kind === 'file' && a.digest === b.digest;
  if (a.kind === 'symlink') return b.kind === 'symlink' && a.target === b.target;
  return b.kind === 'directory';
}

function replaces({ part: one }: Candidate, { part: other }: Candidate): boolean {
  if (one === other) return false;
  if (one.yields !== other.yields && (one.yields === true || other.yields === true)) return other.yields === true;
  if (one.replaces === 'everything') return other.replaces !== 'everything';
  return one.replaces.some((relation) => isMeant(relation, other.name, other.version));
}

function conflict(path: ImagePath, rivals: readonly Candidate[]): Problem {
  const names = [...new Set(rivals.map(({ part }) => `\`${label(part)}\``))].toSorted(byteOrder);
  return {
    code: 'E_FILE_CONFLICT',
    message: `/${path}: ${names.join(' and ')} ${names.length === 1 ? 'brings' : 'bring'} different things for it`,
    hint: 'leave one of them out of recipe.yaml or its requirements file',
  };
}

function filesAsFolders(winners: ReadonlyMap<ImagePath, Candidate>): readonly Problem[] {
  const faults = new Map<ImagePath, Candidate[]>();
  const above = new Map<ImagePath, Candidate | undefined>();
  for (const candidate of winners.values()) {
    const folder = parentOf(candidate.path);
    const parent = above.has(folder) ? above.get(folder) : nearestAbove(candidate.path, winners);
    above.set(folder, parent);
    if (parent === undefined || parent.entry.kind === 'directory') continue;
    const rivals = faults.get(parent.path);
    if (rivals === undefined) faults.set(parent.path, [parent, candidate]);
    else rivals.push(candidate);
  }
  return [...faults].map(([path, rivals]) => conflict(path, rivals));
}

function nearestAbove(path: ImagePath, winners: ReadonlyMap<ImagePath, Candidate>): Candidate | undefined {
  let parent = parentOf(path);
  while (parent !== '' && !winners.has(parent)) parent = parentOf(parent);
  return winners.get(parent);
}

/** Of files that are one, the first path is the file and the others link to it. */
function withHardLinks(winners: ReadonlyMap<ImagePath, Candidate>): readonly Entry[] {
  const firsts = new Map<FileEntry, ImagePath>();
  const sorted = [...winners.values()].toSorted((a, b) => byteOrder(a.path, b.path));
  return sorted.map(({ path, entry, file }): Entry => {
    const first = file === undefined ? undefined : firsts.get(file);
    if (file === undefined || first === undefined) {
      if (file !== undefined) firsts.set(file, path);
      return entryAt(entry, path);
    }
    const { uid, gid, mtime, origin } = entry;
    return { kind: 'hardlink', path, mode: 0o777, uid, gid, mtime, origin, target: first };
  });
}

function entryAt(entry: Candidate['entry'], path: ImagePath): Entry {
  return entry.path === path ? entry : { ...entry, path };
}

function missingParents(winners: ReadonlyMap<ImagePath, unknown>): readonly DirectoryEntry[] {
  const missing = new Set<ImagePath>();
  for (const path of winners.keys()) {
    for (let parent = parentOf(path); parent !== '' && !winners.has(parent); parent = parentOf(parent)) {
      if (missing.has(parent)) break;
      missing.add(parent);
    }
  }
  return [...missing].map(plainDirectory);
}

function label({ name, version }: MergePart): string {
  return version === '' ? name : `${name} ${version}`;
}
