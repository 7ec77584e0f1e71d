import { byteOrder } from '../base/byte-order.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem } from '../base/rootcellar-error.ts';
import { asLoadable, librarySearch } from './library-search.ts';
import type { LibrarySearch, LoadableFile, SearchInput, SearchResult } from './library-search.ts';
import type { Tree } from './tree.ts';

/** A library that something needs and its loader would not find, or would find without a version that is needed. */
export interface MissingLibrary {
  /** As the ELF file names it: mostly a soname. */
  readonly library: string;
  /** The version that the library at hand lacks; undefined when there is no library. */
  readonly version: string | undefined;
  /** Paths in byte order, not empty. */
  readonly neededBy: readonly ImagePath[];
  /** Folders, absolute, in the loader's order. */
  readonly searched: readonly string[];
  /** Files of that name that a loader would pass over: for another machine, or no libraries. */
  readonly unfit: readonly ImagePath[];
}

/**
 * Every library that an ELF file of the image needs and its loader would not find in the image, in byte order of name
 * and version. Each `DT_NEEDED`, `PT_INTERP` and needed version is looked for as ld.so(8) says, for each file by itself:
 * that a program may have loaded a library before counts for nothing. What is found by `DT_RPATH` of a file that needs
 * the file counts as found, whichever way the file was loaded. ELF files for other machines are not looked at.
 * Not seen: what is loaded by name at run time (dlopen), `LD_LIBRARY_PATH`, and `DT_RPATH` of a program where it counts
 * for modules that are loaded at run time.
 */
export function checkClosure(tree: Tree, input: SearchInput): readonly MissingLibrary[] {
  const search = librarySearch(tree, input);
  const files = [...tree.values()].flatMap((entry) => {
    const file =
      entry.kind === 'file' && entry.elf?.dynamic === true ? asLoadable(entry, input.architecture) : undefined;
    return file === undefined ? [] : [file];
  });
  const needs = files.flatMap((file) => needsOf(file, search));
  const inherited = findByLoaders(needs, search);
  return grouped(needs.flatMap((need) => faultsOf(need, inherited.get(need) ?? need.result.found)));
}

interface Need {
  readonly file: LoadableFile;
  readonly library: string;
  readonly result: SearchResult;
}

function needsOf(file: LoadableFile, search: LibrarySearch): readonly Need[] {
  const { needed, interpreter } = file.elf;
  const libraries = interpreter === undefined ? needed : [interpreter, ...needed];
  return [...new Set(libraries)].map((library) => ({ file, library, result: search.search(file, library) }));
}

/**
 * Of the needs that a file cannot satisfy by itself, those that `DT_RPATH` of a file that loads it satisfies, or of one
 * that loads that one, and so on. What is found loads libraries in turn, so this goes on until nothing more is found.
 */
function findByLoaders(needs: readonly Need[], search: LibrarySearch): ReadonlyMap<Need, LoadableFile> {
  const found = new Map<Need, LoadableFile>();
  const loaders = new Map<ImagePath, Set<LoadableFile>>();
  for (const { file, result } of needs) if (result.found !== undefined) addLoader(loaders, result.found, file);
  let open = needs.filter(({ file, result }) => result.found === undefined && file.elf.runpath.length === 0);
  let before = -1;
  while (open.length > 0 && found.size > before) {
    before = found.size;
    for (const need of open) {
      const library = findByLoadersOf(need, loaders, search);
      if (library === undefined) continue;
      found.set(need, library);
      addLoader(loaders, library, need.file);
    }
    open = open.filter((need) => !found.has(need));
  }
  return found;
}

type Loaders = ReadonlyMap<ImagePath, ReadonlySet<LoadableFile>>;

function findByLoadersOf({ file, library }: Need, loaders: Loaders, search: LibrarySearch): LoadableFile | undefined {
  const visited = new Set([file]);
  for (const one of visited) {
    const found = search.searchRpath(one, library);
    if (found !== undefined) return found;
    for (const loader of loaders.get(one.path) ?? []) visited.add(loader);
  }
  return undefined;
}

function addLoader(loaders: Map<ImagePath, Set<LoadableFile>>, library: LoadableFile, loader: LoadableFile): void {
  const known = loaders.get(library.path);
  if (known === undefined) loaders.set(library.path, new Set([loader]));
  else known.add(loader);
}

interface Fault {
  readonly need: Need;
  readonly version: string | undefined;
}

/** A library without any version definition satisfies every need; the loader then only warns. */
function faultsOf(need: Need, found: LoadableFile | undefined): readonly Fault[] {
  if (found === undefined) return [{ need, version: undefined }];
  const defined = found.elf.versionsDefined;
  const versions = Object.hasOwn(need.file.elf.versionsNeeded, need.library)
    ? (need.file.elf.versionsNeeded[need.library] ?? [])
    : [];
  if (defined.length === 0 || versions.length === 0) return [];
  return versions.filter((version) => !defined.includes(version)).map((version) => ({ need, version }));
}

function grouped(faults: readonly Fault[]): readonly MissingLibrary[] {
  const groups = new Map<string, Fault[]>();
  for (const fault of faults) {
    const key = `${fault.need.library}\0${fault.version ?? ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [fault]);
    else group.push(fault);
  }
  return [...groups]
    .toSorted(([a], [b]) => byteOrder(a, b))
    .flatMap(([, group]) => {
      const [first] = group;
      return first === undefined ? [] : [missingLibrary(first, group)];
    });
}

function missingLibrary({ need, version }: Fault, group: readonly Fault[]): MissingLibrary {
  return {
    library: need.library,
    version,
    neededBy: [...new Set(group.map((fault) => fault.need.file.path))].toSorted(byteOrder),
    searched: [...new Set(group.flatMap((fault) => fault.need.result.searched))],
    unfit: [...new Set(group.flatMap((fault) => fault.need.result.unfit))].toSorted(byteOrder),
  };
}

/** Says which package brings a library; undefined when it is not known. */
export type PackageOf = (library: string) => string | undefined;

/** E_LIBRARY_MISSING for what `checkClosure` found, one problem a library. `missing` must not be empty. */
export function closureError(missing: readonly MissingLibrary[], packageOf: PackageOf): RootcellarError {
  return RootcellarError.ofProblems(missing.map((library) => problemOf(library, packageOf)));
}

function problemOf(missing: MissingLibrary, packageOf: PackageOf): Problem {
  const { library, version, searched, unfit } = missing;
  const packageName = packageOf(library);
  const fault =
    version === undefined
      ? `is needed by ${needers(missing)}, but ${placeFault(searched)}`
      : `has no version \`${version}\`, which is needed by ${needers(missing)}`;
  const passedOver = unfit.length === 0 ? '' : `; \`${unfit.join('`, `')}\` is not for this machine`;
  return {
    code: 'E_LIBRARY_MISSING',
    message: `\`${library}\`: ${fault}${passedOver}`,
    hint: hintOf(missing, packageName),
  };
}

const MOST_NAMED = 3;

function needers({ neededBy }: MissingLibrary): string {
  const named = neededBy.slice(0, MOST_NAMED).map((path) => `\`/${path}\``);
  const others = neededBy.length - named.length;
  return others === 0 ? named.join(', ') : `${named.join(', ')} and ${others} more`;
}

function placeFault(searched: readonly string[]): string {
  if (searched.length === 0) return 'there is no such file in the image';
  return `is not in ld.so.cache, ${searched.map((folder) => `\`${folder}\``).join(', ')}`;
}

function hintOf({ library, version }: MissingLibrary, packageName: string | undefined): string {
  if (packageName === undefined) return `apt-file search ${library.startsWith('/') ? library : `/${library}`}`;
  if (version !== undefined) return `take packages that run on the ${packageName} of the suite, or a newer suite`;
  return `add ${packageName} to base.debian.packages`;
}
