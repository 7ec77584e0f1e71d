import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import type { ImagePath } from '../base/image-path.ts';
import { parentOf } from '../base/image-path.ts';
import { defaultFolders } from './ld-so-cache.ts';
import type { CachedLibrary } from './ld-so-cache.ts';
import { lookupIn } from './tree-lookup.ts';
import type { FoundEntry } from './tree-lookup.ts';
import type { ElfFacts, FileEntry, Tree } from './tree.ts';

/** An ELF file with a dynamic section, for the machine of the image. */
export interface LoadableFile {
  readonly path: ImagePath;
  readonly elf: ElfFacts;
}

/** A program without search paths of its own, for what is looked up on nobody's behalf. */
export const NO_SEARCH_PATHS: LoadableFile = {
  path: '',
  elf: {
    machine: 0,
    bits: 64,
    needed: [],
    rpath: [],
    runpath: [],
    versionsNeeded: {},
    versionsDefined: [],
    noDefaultLibraries: false,
    dynamic: true,
  },
};

/** A file that is loaded, and what had it loaded; undefined for a program, and for what is loaded by name at run time. */
export interface LoadChain {
  readonly file: LoadableFile;
  readonly loader: LoadChain | undefined;
}

/** How a loader comes to a library: by a path in its name, by search paths, by ld.so.cache, by its own folders. */
export type SearchWay = 'path' | 'rpath' | 'runpath' | 'cache' | 'default';

export interface SearchResult {
  readonly found: LoadableFile | undefined;
  /** The absolute path by which it was found, links and all. */
  readonly foundAt: string | undefined;
  readonly way: SearchWay | undefined;
  /** Folders, absolute, in the loader's order, up to where it was found. */
  readonly searched: readonly string[];
  /** Files of that name that a loader passes over, because they are for another machine. */
  readonly unfit: readonly ImagePath[];
  /** What a loader meets under that name and gives up at: no ELF file, a damaged one, or one for another system. */
  readonly blockedBy: ImagePath | undefined;
}

export interface LibrarySearch {
  /** Looks for a library or interpreter on behalf of `chain.file`, as its loader would. */
  search(chain: LoadChain, library: string): SearchResult;
}

export interface SearchInput {
  readonly architecture: Architecture;
  /** What the image's ld.so.cache holds. */
  readonly cache: readonly CachedLibrary[];
}

/**
 * The loader's search in `tree`, which must not change meanwhile: where the file has no `DT_RUNPATH`, `DT_RPATH` of it, of
 * what loaded it, and so on; `DT_RUNPATH`; ld.so.cache; default folders. A name with a slash is a path.
 * Folders of `glibc-hwcaps` are left out: what is only there is missing on older processors.
 * `$ORIGIN` is where a file really lies, so a library behind a link is looked at in its own folder.
 * Parts of search paths that are relative to the working directory lead nowhere, since that may be any.
 * Source: ld.so(8), and glibc, `_dl_map_new_object`, `open_verify` and `fillin_rpath` in `elf/dl-load.c`.
 */
export function librarySearch(tree: Tree, { architecture, cache }: SearchInput): LibrarySearch {
  const lookup = lookupIn(tree);
  const cached = new Map(cache.toReversed().map(({ soname, path }) => [soname, path]));
  const usual = defaultFolders(architecture).map((folder): SearchPlace => ({ way: 'default', at: folder }));
  const remembered = new Map<string, SearchResult>();

  const tryPlaces = (library: string, places: readonly SearchPlace[]): SearchResult => {
    const unfit = new Set<ImagePath>();
    const searched: string[] = [];
    for (const { way, at } of places) {
      if (way !== 'cache') searched.push(at);
      const path = way === 'cache' ? at : `${at === '/' ? '' : at}/${library}`;
      const entry = lookup.find(path);
      if (entry === undefined) continue;
      const loadable = entry.file && asLoadable(entry.file, architecture);
      const passed = { searched, unfit: [...unfit] };
      if (loadable?.elf.dynamic === true)
        return { found: loadable, foundAt: path, way, ...passed, blockedBy: undefined };
      if (!isPassedOver(entry, architecture)) return { ...NOWHERE, ...passed, blockedBy: entry.path };
      unfit.add(entry.path);
    }
    return { ...NOWHERE, searched, unfit: [...unfit] };
  };
  const atPath = (path: string): SearchResult => {
    const entry = path.startsWith('/') ? lookup.find(path) : undefined;
    const found = entry?.file && asLoadable(entry.file, architecture);
    if (found !== undefined) return { ...NOWHERE, found, foundAt: path, way: 'path' };
    return { ...NOWHERE, unfit: entry === undefined ? [] : [entry.path] };
  };
  return {
    search(chain, library) {
      const name = library.includes('$') ? substituted(library, chain.file, architecture) : library;
      if (name.includes('/')) return atPath(name);
      const { noDefaultLibraries: isolated } = chain.file.elf;
      const own = ownPlaces(chain, architecture);
      const key = [name, isolated, ...own.map(({ way, at }) => `${way} ${at}`)].join('\0');
      const known = remembered.get(key);
      if (known !== undefined) return known;
      const path = cached.get(name);
      const inCache = path !== undefined && !(isolated && usual.some(({ at }) => path.startsWith(`${at}/`)));
      const result = tryPlaces(name, [
        ...own,
        ...(inCache ? [{ way: 'cache' as const, at: path }] : []),
        ...(isolated ? [] : usual),
      ]);
      remembered.set(key, result);
      return result;
    },
  };
}

/** A folder, or for the cache the path that it gives. */
interface SearchPlace {
  readonly way: SearchWay;
  readonly at: string;
}

const NOWHERE: SearchResult = {
  found: undefined,
  foundAt: undefined,
  way: undefined,
  searched: [],
  unfit: [],
  blockedBy: undefined,
};

/** The file as one that a loader of this architecture takes; undefined when it does not. */
export function asLoadable(file: FileEntry, architecture: Architecture): LoadableFile | undefined {
  const { elf, path } = file;
  if (elf?.machine !== ARCHITECTURE_FACTS[architecture].elfMachine || elf.bits !== 64) return undefined;
  return elf.foreign === true ? undefined : { path, elf };
}

/** Another class or machine is passed over, and anything else is fatal to the loader, a folder of that name included. */
function isPassedOver({ file }: FoundEntry, architecture: Architecture): boolean {
  const elf = file?.elf;
  if (elf === undefined) return false;
  if (elf.bits !== 64) return true;
  return elf.foreign !== true && elf.machine !== ARCHITECTURE_FACTS[architecture].elfMachine;
}

function ownPlaces(chain: LoadChain, architecture: Architecture): readonly SearchPlace[] {
  const { file } = chain;
  if (file.elf.runpath.length > 0) return placesOf(file, 'runpath', architecture);
  const places: SearchPlace[] = [];
  for (let link: LoadChain | undefined = chain; link !== undefined; link = link.loader) {
    if (link.file.elf.rpath.length > 0) places.push(...placesOf(link.file, 'rpath', architecture));
  }
  return places;
}

function placesOf(file: LoadableFile, way: 'rpath' | 'runpath', architecture: Architecture): readonly SearchPlace[] {
  return file.elf[way].flatMap((text) => {
    const at = substituted(text, file, architecture);
    return at.startsWith('/') ? [{ way, at: at.replace(/(?<=.)\/+$/, '') }] : [];
  });
}

/** Source of the values: ld.so(8), "Dynamic string tokens", and `DL_DST_LIB` of Debian's glibc. */
function substituted(text: string, file: LoadableFile, architecture: Architecture): string {
  if (!text.includes('$')) return text;
  const { multiarch, machine } = ARCHITECTURE_FACTS[architecture];
  const values: Readonly<Record<string, string>> = {
    ORIGIN: `/${parentOf(file.path)}`,
    LIB: `lib/${multiarch}`,
    PLATFORM: machine,
  };
  return text.replaceAll(
    /\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?!\w))/g,
    (whole, braced: string | undefined, bare: string | undefined) => values[braced ?? bare ?? ''] ?? whole,
  );
}
