import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { ImagePath } from '../base/image-path.ts';
import { nameOf } from '../base/image-path.ts';
import { isDebugFile, isProgram, libraryNeeds } from './library-needs.ts';
import type { Need, NeedsInput } from './library-needs.ts';
import { asLoadable, librarySearch, NO_SEARCH_PATHS } from './library-search.ts';
import type { LoadableFile, LoadChain } from './library-search.ts';
import { lookupIn } from './tree-lookup.ts';
import type { FileEntry, Tree } from './tree.ts';

/** A library that something needs and its loader would not find, or would find without a version that is needed. */
export interface MissingLibrary {
  /** As the ELF file names it: mostly a soname. */
  readonly library: string;
  /** The version that the library at hand lacks; undefined when there is no library. */
  readonly version: string | undefined;
  /** The library at hand, where it lacks a version. */
  readonly at: ImagePath | undefined;
  /** Versions of the same name that the library at hand has, the newest last, such as `GLIBC_2.36`. */
  readonly has: readonly string[];
  /** Paths in byte order; empty for what the recipe itself wants. */
  readonly neededBy: readonly ImagePath[];
  /** Folders, absolute, in the loader's order. */
  readonly searched: readonly string[];
  /** Files of that name that a loader would pass over: for another machine. */
  readonly unfit: readonly ImagePath[];
  /** Files of that name at which a loader gives up. */
  readonly blockedBy: readonly ImagePath[];
}

/** A library that no search finds, but that the same package, or another Python package, has: whoever loads it first helps. */
export interface PreloadedLibrary {
  readonly library: string;
  readonly at: ImagePath;
  readonly neededBy: readonly ImagePath[];
}

export interface ClosureReport {
  /** In byte order of name and version. */
  readonly missing: readonly MissingLibrary[];
  readonly preloaded: readonly PreloadedLibrary[];
  /** Of Python packages, files for another C library than the image's, such as musl: nothing in the image loads them. */
  readonly otherSystem: readonly ImagePath[];
  /** ELF files that are damaged, and why: no loader takes them. */
  readonly damaged: readonly FileEntry[];
}

/**
 * Every library that an ELF file of the image needs and its loader would not find in the image, and every needed version
 * that the library found does not have. What is needed is found when each program and each module that leads to the file
 * finds it, in a process of its own: see `libraryNeeds`.
 * Not seen: what is loaded by name at run time (dlopen) and `LD_LIBRARY_PATH`.
 */
export function checkClosure(tree: Tree, input: NeedsInput): ClosureReport {
  const otherSystem = new Set<ImagePath>();
  const skip = (file: LoadableFile): boolean => {
    if (!isForOtherLibc(file, tree, input)) return false;
    otherSystem.add(file.path);
    return true;
  };
  const helpers = librariesByName(tree, input);
  const faults: Fault[] = [];
  const preloaded: Help = new Map();
  for (const need of libraryNeeds(tree, input, skip)) {
    for (const version of lackingVersions(need)) faults.push({ need, version });
    if (need.found !== undefined) continue;
    const helper = helperOf(need, helpers.get(need.library) ?? [], tree);
    if (helper === undefined) faults.push({ need, version: undefined });
    else noteHelp(preloaded, need, helper);
  }
  return {
    missing: grouped(faults),
    preloaded: [...preloaded]
      .toSorted(([a], [b]) => byteOrder(a, b))
      .map(([, { library, at, neededBy }]) => ({ library, at, neededBy: sorted(neededBy) })),
    otherSystem: sorted(otherSystem),
    damaged: [...tree.values()].flatMap((entry) => {
      return entry.kind === 'file' && entry.elfFault !== undefined && !isDebugFile(entry.path) ? [entry] : [];
    }),
  };
}

/** Of `sonames`, those that no loader finds for a program without search paths of its own. */
export function absentLibraries(tree: Tree, input: NeedsInput, sonames: readonly string[]): readonly MissingLibrary[] {
  const anyone: LoadChain = { file: NO_SEARCH_PATHS, loader: undefined };
  const search = librarySearch(tree, input);
  return sonames.flatMap((library) => {
    const { found, searched, unfit, blockedBy } = search.search(anyone, library);
    if (found !== undefined) return [];
    const blocked = blockedBy === undefined ? [] : [blockedBy];
    return [{ library, version: undefined, at: undefined, has: [], neededBy: [], searched, unfit, blockedBy: blocked }];
  });
}

type Help = Map<string, Omit<PreloadedLibrary, 'neededBy'> & { readonly neededBy: ImagePath[] }>;

function noteHelp(help: Help, { library, file }: Need, at: ImagePath): void {
  const key = `${library}\0${at}`;
  const known = help.get(key) ?? { library, at, neededBy: [] };
  help.set(key, known);
  known.neededBy.push(file.path);
}

/** Where Python code can load what it likes from, before it imports what needs it. */
const PYTHON_PACKAGES = /(?:^|\/)(?:site|dist)-packages\//;

function isForOtherLibc(file: LoadableFile, tree: Tree, { architecture }: NeedsInput): boolean {
  if (!PYTHON_PACKAGES.test(file.path)) return false;
  const { interpreter, needed } = file.elf;
  if (needed.some((name) => /^(?:libc|ld)[.-]musl-/.test(name))) return !hasMusl(tree);
  if (interpreter === undefined || !isProgram(file) || interpreter === ARCHITECTURE_FACTS[architecture].loader)
    return false;
  return lookupIn(tree).find(interpreter)?.file === undefined;
}

function hasMusl(tree: Tree): boolean {
  return [...tree.keys()].some((path) => /^(?:usr\/)?lib\/ld-musl-[^/]+$/.test(path));
}

function librariesByName(tree: Tree, { architecture }: NeedsInput): ReadonlyMap<string, readonly FileEntry[]> {
  const libraries = new Map<string, FileEntry[]>();
  for (const entry of tree.values()) {
    if (entry.kind !== 'file' || entry.elf?.dynamic !== true || asLoadable(entry, architecture) === undefined) continue;
    for (const name of new Set([nameOf(entry.path), entry.elf.soname ?? nameOf(entry.path)])) {
      libraries.set(name, [...(libraries.get(name) ?? []), entry]);
    }
  }
  return libraries;
}

function helperOf(need: Need, candidates: readonly FileEntry[], tree: Tree): ImagePath | undefined {
  if (isProgram(need.root)) return undefined;
  const { path } = need.file;
  const origin = tree.get(path)?.origin;
  return candidates.find((candidate) => {
    if (candidate.path === path) return false;
    return candidate.origin === origin || (PYTHON_PACKAGES.test(candidate.path) && PYTHON_PACKAGES.test(path));
  })?.path;
}

interface Fault {
  readonly need: Need;
  readonly version: string | undefined;
}

function grouped(faults: readonly Fault[]): readonly MissingLibrary[] {
  const groups = new Map<string, Fault[]>();
  for (const fault of faults) {
    const { library, found } = fault.need;
    const key = `${library}\0${fault.version ?? ''}\0${found?.path ?? ''}`;
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
  const results = group.flatMap((fault) => fault.need.search ?? []);
  const found = version === undefined ? undefined : need.found;
  return {
    library: need.library,
    version,
    at: found?.path,
    has: (found?.elf.versionsDefined ?? []).filter((name) => familyOf(name) === familyOf(version)).toSorted(byNumber),
    neededBy: sorted(group.map((fault) => fault.need.file.path)),
    searched: [...new Set(results.flatMap(({ searched }) => searched))],
    unfit: sorted(results.flatMap(({ unfit }) => unfit)),
    blockedBy: sorted(results.flatMap(({ blockedBy }) => blockedBy ?? [])),
  };
}

/** A library without any version definition satisfies every need; the loader then only warns. */
function lackingVersions({ file, library, found }: Need): readonly string[] {
  const defined = found?.elf.versionsDefined ?? [];
  const { versionsNeeded } = file.elf;
  const versions = Object.hasOwn(versionsNeeded, library) ? (versionsNeeded[library] ?? []) : [];
  return defined.length === 0 ? [] : versions.filter((version) => !defined.includes(version));
}

const NUMBER = /[\d.]+$/;

/** `GLIBC_` of `GLIBC_2.36`. */
function familyOf(version: string | undefined): string {
  return (version ?? '').replace(NUMBER, '');
}

function byNumber(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => (NUMBER.exec(text)?.[0] ?? '').split('.').map(Number));
  const at = (left ?? []).findIndex((number, index) => number !== right?.[index]);
  return at < 0 ? -1 : (left?.[at] ?? 0) - (right?.[at] ?? -1);
}

function sorted(paths: Iterable<string>): readonly string[] {
  return [...new Set(paths)].toSorted(byteOrder);
}
