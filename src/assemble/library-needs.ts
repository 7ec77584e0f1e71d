import type { ImagePath } from '../base/image-path.ts';
import { nameOf, parentOf } from '../base/image-path.ts';
import { asLoadable, librarySearch } from './library-search.ts';
import type { LibrarySearch, LoadableFile, LoadChain, SearchInput, SearchResult } from './library-search.ts';
import { lookupIn } from './tree-lookup.ts';
import type { Tree } from './tree.ts';

/** One library that a file needs, when a program is started or a module is loaded. */
export interface Need {
  readonly file: LoadableFile;
  /** As the ELF file names it: mostly a soname. */
  readonly library: string;
  /** The program or module whose loading led to the file. */
  readonly root: LoadableFile;
  readonly found: LoadableFile | undefined;
  /** Undefined where the library had been loaded already, under this name or with this soname. */
  readonly search: SearchResult | undefined;
}

export interface NeedsInput extends SearchInput {
  /** Absolute path of the program that loads modules at run time: its `DT_RPATH` counts for them. */
  readonly program?: string | undefined;
}

/**
 * Loads every program and module of `tree` as its loader would, breadth first, and gives all needs on the way: `DT_NEEDED`
 * and `PT_INTERP`. A module is a library that no other file needs, which something must therefore load by name.
 * Each has a process of its own, where nothing else is loaded. ELF files for other machines, debugging symbols and
 * `skip` are not looked at. What is in a folder of `glibc-hwcaps` is loaded where its baseline twin is.
 * Source: glibc, `_dl_map_object_deps` in `elf/dl-deps.c`, `_dl_map_new_object` in `elf/dl-load.c`.
 */
export function* libraryNeeds(
  tree: Tree,
  input: NeedsInput,
  skip: (file: LoadableFile) => boolean = () => false,
): Generator<Need, void, undefined> {
  const search = librarySearch(tree, input);
  const files = loadableFiles(tree, input).filter((file) => !skip(file));
  const twins = hwcapsTwins(files);
  const program = lookupIn(tree).find(input.program ?? '')?.file;
  const main = program && asLoadable(program, input.architecture);
  const above: LoadChain | undefined = main && { file: main, loader: undefined };
  const loaded = new Set<ImagePath>();
  const load = (root: LoadableFile): Generator<Need, void, undefined> =>
    loadOne({ file: root, loader: isProgram(root) ? undefined : above }, { search, twins, loaded });
  const wanted = wantedFiles(files, { search, twins, loaded: new Set() });
  for (const file of files) {
    if (isProgram(file) || !(wanted.has(file.path) || isHwcapsPath(file.path))) yield* load(file);
  }
  // What is left is needed by files that got another one of that name, or by each other only.
  for (const file of files) if (!loaded.has(file.path)) yield* load(file);
}

/** A program is started, so nothing can have been loaded before; a library may have an interpreter too, as libc has. */
export function isProgram({ path, elf }: LoadableFile): boolean {
  return elf.interpreter !== undefined && !/\.so(?:\.|$)/.test(nameOf(path));
}

function loadableFiles(tree: Tree, { architecture }: SearchInput): readonly LoadableFile[] {
  return [...tree.values()].flatMap((entry) => {
    if (entry.kind !== 'file' || entry.elf?.dynamic !== true || isDebugFile(entry.path)) return [];
    return asLoadable(entry, architecture) ?? [];
  });
}

/** Debugging symbols that were split off are shaped like libraries, and no loader ever gets them. */
export function isDebugFile(path: ImagePath): boolean {
  return path.startsWith('usr/lib/debug/') || path.endsWith('.debug');
}

/** Paths of what other files load: found by a file itself, or thanks to its `DT_RPATH` by what it loads. */
function wantedFiles(files: readonly LoadableFile[], loading: Loading): ReadonlySet<ImagePath> {
  const wanted = new Set<ImagePath>();
  for (const file of files) {
    const chain = { file, loader: undefined };
    const found =
      file.elf.rpath.length > 0
        ? Array.from(loadOne(chain, loading), (need) => need.found)
        : namesOf(file).map((library) => loading.search.search(chain, library).found);
    for (const library of found) if (library !== undefined) wanted.add(library.path);
  }
  return wanted;
}

/** The interpreter is the kernel's business, and only for programs; tools that mend libraries leave it empty in some. */
function namesOf(file: LoadableFile): readonly string[] {
  const { interpreter, needed } = file.elf;
  const own = interpreter !== undefined && isProgram(file) ? [interpreter] : [];
  return [...new Set([...own, ...needed])].filter((name) => name !== '');
}

interface Loading {
  readonly search: LibrarySearch;
  readonly twins: ReadonlyMap<string, readonly LoadableFile[]>;
  /** Paths of all that was loaded for any root. */
  readonly loaded: Set<ImagePath>;
}

function* loadOne(root: LoadChain, { search, twins, loaded }: Loading): Generator<Need, void, undefined> {
  const names = new Map<string, LoadableFile>();
  const queue = [root];
  const queued = new Set([root.file.path]);
  const add = (file: LoadableFile, loader: LoadChain): void => {
    if (queued.has(file.path)) return;
    queued.add(file.path);
    queue.push({ file, loader });
  };
  if (root.file.elf.soname !== undefined) names.set(root.file.elf.soname, root.file);
  for (const chain of queue) {
    loaded.add(chain.file.path);
    for (const library of namesOf(chain.file)) {
      const known = names.get(library);
      const result = known === undefined ? search.search(chain, library) : undefined;
      const found = known ?? result?.found;
      yield { file: chain.file, library, root: root.file, found, search: result };
      if (found === undefined || known !== undefined) continue;
      names.set(library, found);
      if (found.elf.soname !== undefined && !names.has(found.elf.soname)) names.set(found.elf.soname, found);
      add(found, chain);
      for (const twin of twins.get(found.path) ?? []) add(twin, chain);
    }
  }
}

const HWCAPS = /^(.*)\/glibc-hwcaps\/[^/]+$/;

function isHwcapsPath(path: ImagePath): boolean {
  return HWCAPS.test(parentOf(path));
}

/** Libraries for newer processors, by the path of the one that they stand in for. */
function hwcapsTwins(files: readonly LoadableFile[]): ReadonlyMap<string, readonly LoadableFile[]> {
  const twins = new Map<string, LoadableFile[]>();
  const bySoname = new Map<string, string>();
  for (const { path, elf } of files) bySoname.set(`${parentOf(path)}/${elf.soname ?? nameOf(path)}`, path);
  for (const file of files) {
    const folder = HWCAPS.exec(parentOf(file.path))?.[1];
    if (folder === undefined) continue;
    const baseline = bySoname.get(`${folder}/${file.elf.soname ?? nameOf(file.path)}`);
    if (baseline !== undefined) twins.set(baseline, [...(twins.get(baseline) ?? []), file]);
  }
  return twins;
}
