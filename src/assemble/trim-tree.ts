import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { TRIM_SET_NAMES } from '../recipe/trim-sets.ts';
import { importedModules } from './imported-modules.ts';
import { lookupIn } from './tree-lookup.ts';
import type { Contents, Entry, FileEntry, HardLinkEntry, Tree } from './tree.ts';
import { trimRules, type TrimRules } from './trim-rules.ts';

/** What one rule took away. */
export interface TrimmedFiles {
  /** Name of the set, or the glob. */
  readonly rule: string;
  /** Without folders. */
  readonly files: number;
  readonly bytes: number;
}

export interface TrimmedTree {
  readonly tree: Tree;
  /** One element for each rule, sets before globs, each in byte order of name. */
  readonly trimmed: readonly TrimmedFiles[];
  /** What went, and the rule that took it; folders too. */
  readonly gone: ReadonlyMap<ImagePath, string>;
  /** Globs that met nothing. */
  readonly unused: readonly string[];
}

/** What is put into an image on purpose, or made for it, is not trimmed; the folders of every image stay. */
const PROTECTED: ReadonlySet<string> = new Set(['recipe.yaml', 'rootcellar']);

/**
 * The tree without what `trim` takes. With a source goes its bytecode, with a file the links that led to it, with its last
 * entry a folder. Of files that are one, those that stay are one still.
 */
export function trimTree(tree: Tree, trim: readonly string[], contents: Contents): TrimmedTree {
  const rules = trimRules(trim);
  const gone = goneFiles(tree, rules);
  const trimming = { tree, rules, gone };
  addBytecode(trimming, keepImported(trimming, contents));
  addLinksAndFolders(trimming);
  const kept = withWholeLinks(
    [...tree.values()].filter(({ path }) => !gone.has(path)),
    tree,
  );
  return {
    tree: new Map(kept.map((entry) => [entry.path, entry])),
    trimmed: countsOf(trimming, trim),
    gone,
    unused: rules.unused(),
  };
}

type Gone = Map<ImagePath, string>;

interface Trimming {
  readonly tree: Tree;
  readonly rules: TrimRules;
  /** Grows until nothing more has to go. */
  readonly gone: Gone;
}

/** All but folders. */
function goneFiles(tree: Tree, rules: TrimRules): Gone {
  const gone: Gone = new Map();
  for (const entry of tree.values()) {
    if (entry.kind === 'directory' || PROTECTED.has(entry.origin)) continue;
    const rule = rules.ruleOf(entry.path);
    if (rule !== undefined) gone.set(entry.path, rule.name);
  }
  return gone;
}

/** Brings back the modules that something imports; the result has their paths. */
function keepImported({ tree, rules, gone }: Trimming, contents: Contents): ReadonlySet<ImagePath> {
  const sources = [...tree.values()].flatMap((entry) => (entry.kind === 'file' && isModule(entry.path) ? [entry] : []));
  const modules = sources.filter(({ path }) => gone.has(path) && rules.ruleOf(path)?.keepsImported === true);
  if (modules.length === 0) return new Set();
  const words = [...new Set(modules.map(({ path }) => nameOf(outermost(path, rules)).replace(/\..*$/, '')))];
  const others = sources.filter(({ path }) => path.endsWith('.py') && !gone.has(path));
  const imported = importedModules({ modules, words, others, contents });
  for (const path of imported) gone.delete(path);
  return imported;
}

function isModule(path: ImagePath): boolean {
  return path.endsWith('.py') || path.endsWith('.so');
}

/** The file, or the outermost folder around it, that the rule means. */
function outermost(path: ImagePath, rules: TrimRules): ImagePath {
  const parent = parentOf(path);
  return parent !== '' && rules.ruleOf(parent) !== undefined ? outermost(parent, rules) : path;
}

/** Bytecode shares the fate of its source, as far as no other rule takes it. */
function addBytecode({ tree, rules, gone }: Trimming, imported: ReadonlySet<ImagePath>): void {
  for (const { path } of tree.values()) {
    const source = sourceOf(path);
    if (source === undefined) continue;
    const rule = gone.get(source);
    if (rule !== undefined) gone.set(path, gone.get(path) ?? rule);
    else if (imported.has(source) && rules.ruleOf(path)?.keepsImported === true) gone.delete(path);
  }
}

/** Where the source of a bytecode file is, as PEP 3147 says. */
function sourceOf(path: ImagePath): ImagePath | undefined {
  const [, folder, name] = /^(.*)\/__pycache__\/([^/]+?)\.[^./]+(?:\.opt-[12])?\.pyc$/.exec(path) ?? [];
  return folder === undefined || name === undefined ? undefined : `${folder}/${name}.py`;
}

/** A folder that is gone can leave a link without target, and a link that is gone a folder without entries. */
function addLinksAndFolders(trimming: Trimming): void {
  const { tree, gone } = trimming;
  const before = lookupIn(tree);
  const links = [...tree.values()].filter(({ kind, path }) => kind === 'symlink' && before.find(path) !== undefined);
  for (let size = -1; size !== gone.size;) {
    size = gone.size;
    addFolders(trimming);
    const now = lookupIn(new Map([...tree].filter(([path]) => !gone.has(path))));
    for (const { path } of links) {
      const target = before.find(path)?.path ?? '';
      if (!gone.has(path) && now.find(path) === undefined) gone.set(path, gone.get(target) ?? '');
    }
  }
}

/** Folders that have lost their last entry, and those that a rule means and that are empty. */
function addFolders({ tree, rules, gone }: Trimming): void {
  const losers = new Map<ImagePath, string>();
  for (const [path, rule] of gone) for (const folder of foldersOf(path)) losers.set(folder, losers.get(folder) ?? rule);
  const alive = new Set<ImagePath>();
  const candidates: ImagePath[] = [];
  for (const { kind, path, origin } of tree.values()) {
    if (gone.has(path)) continue;
    const rule =
      kind === 'directory' && origin !== 'recipe.yaml' ? (losers.get(path) ?? rules.ruleOf(path)?.name) : undefined;
    if (rule !== undefined) {
      candidates.push(path);
      losers.set(path, rule);
      continue;
    }
    for (const folder of foldersOf(path)) alive.add(folder);
  }
  for (const path of candidates) if (!alive.has(path)) gone.set(path, losers.get(path) ?? '');
}

function foldersOf(path: ImagePath): readonly ImagePath[] {
  const parent = parentOf(path);
  return parent === '' ? [] : [parent, ...foldersOf(parent)];
}

/** Where the first path of files that are one is gone, the next is the file. */
function withWholeLinks(kept: readonly Entry[], tree: Tree): readonly Entry[] {
  const present = new Set(kept.map(({ path }) => path));
  const heirs = new Map<ImagePath, ImagePath>();
  return kept.map((entry): Entry => {
    if (entry.kind !== 'hardlink' || present.has(entry.target)) return entry;
    const heir = heirs.get(entry.target);
    if (heir !== undefined) return { ...entry, target: heir };
    heirs.set(entry.target, entry.path);
    return { ...fileAt(tree, entry), path: entry.path };
  });
}

function fileAt(tree: Tree, { target }: HardLinkEntry): FileEntry {
  const file = tree.get(target);
  if (file?.kind !== 'file') throw new Error(`unreachable: \`${target}\` is no file`);
  return file;
}

function countsOf({ tree, gone }: Trimming, trim: readonly string[]): readonly TrimmedFiles[] {
  const sets = TRIM_SET_NAMES.filter((name) => trim.includes(name));
  const stillLinked = new Set(
    [...tree.values()].flatMap((entry) => (entry.kind === 'hardlink' && !gone.has(entry.path) ? [entry.target] : [])),
  );
  const counts = new Map(
    [...sets, ...trim.filter((word) => word.startsWith('/'))].map((name) => [name, { files: 0, bytes: 0 }]),
  );
  for (const [path, rule] of gone) {
    const entry = tree.get(path);
    const count = counts.get(rule);
    if (entry === undefined || entry.kind === 'directory' || count === undefined) continue;
    count.files += 1;
    if (entry.kind === 'file' && !stillLinked.has(path)) count.bytes += entry.size;
  }
  return [...counts].map(([rule, { files, bytes }]) => ({ rule, files, bytes }));
}
