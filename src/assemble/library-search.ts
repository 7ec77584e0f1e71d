import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import type { ImagePath } from '../base/image-path.ts';
import { parentOf } from '../base/image-path.ts';
import { defaultFolders } from './ld-so-cache.ts';
import type { CachedLibrary } from './ld-so-cache.ts';
import { lookupIn } from './tree-lookup.ts';
import type { ElfFacts, FileEntry, Tree } from './tree.ts';

/** An ELF file with a dynamic section, for the machine of the image. */
export interface LoadableFile {
  readonly path: ImagePath;
  readonly elf: ElfFacts;
}

export interface SearchResult {
  readonly found: LoadableFile | undefined;
  /** The absolute path by which it was found, links and all. */
  readonly foundAt: string | undefined;
  /** Folders, absolute, in the loader's order, up to where it was found. */
  readonly searched: readonly string[];
  /** Files of that name that a loader would pass over: for another machine, or no libraries. */
  readonly unfit: readonly ImagePath[];
}

export interface LibrarySearch {
  /** Looks for a library or interpreter on behalf of `file`, as its loader would. */
  search(file: LoadableFile, library: string): SearchResult;
  /** Looks only where `DT_RPATH` of `loader` says, which counts for what it loads as well. */
  searchRpath(loader: LoadableFile, library: string): LoadableFile | undefined;
}

export interface SearchInput {
  readonly architecture: Architecture;
  /** What the image's ld.so.cache holds. */
  readonly cache: readonly CachedLibrary[];
}

/**
 * The loader's search in `tree`, which must not change meanwhile: `DT_RPATH` where there is no `DT_RUNPATH`, `DT_RUNPATH`,
 * ld.so.cache, default folders. Folders of `glibc-hwcaps` are left out: what is only there is missing on older processors.
 * `$ORIGIN` is where a file really lies, so a library behind a link is looked at in its own folder.
 * Parts of search paths that are relative to the working directory lead nowhere. Source: ld.so(8).
 */
export function librarySearch(tree: Tree, { architecture, cache }: SearchInput): LibrarySearch {
  const lookup = lookupIn(tree);
  const cached = new Map(cache.toReversed().map(({ soname, path }) => [soname, path]));
  const usual = defaultFolders(architecture);
  const remembered = new Map<string, Map<string, SearchResult>>();

  const fit = (file: FileEntry): LoadableFile | undefined => asLoadable(file, architecture);
  const tryPaths = (library: string, own: readonly string[], isolated: boolean): SearchResult => {
    const unfit: ImagePath[] = [];
    const searched: string[] = [];
    const cachedPath = cached.get(library);
    const inCache = cachedPath !== undefined && !(isolated && usual.includes(`/${parentOf(cachedPath.slice(1))}`));
    for (const folder of [...own, ...(inCache ? [CACHE] : []), ...(isolated ? [] : usual)]) {
      if (folder !== CACHE) searched.push(folder);
      const path = folder === CACHE ? (cachedPath ?? '') : `${folder}/${library}`;
      const file = lookup.find(path)?.file;
      const found = file && fit(file);
      if (found !== undefined) return { found, foundAt: path, searched, unfit };
      if (file !== undefined) unfit.push(file.path);
    }
    return { found: undefined, foundAt: undefined, searched, unfit: [...new Set(unfit)] };
  };
  return {
    search(file, library) {
      if (library.includes('/')) {
        const named = library.startsWith('/') ? lookup.find(library)?.file : undefined;
        return resultAt(library, named, named && fit(named));
      }
      const own = expandFolders(file, architecture, [...file.elf.rpath, ...file.elf.runpath]);
      const isolated = file.elf.noDefaultLibraries;
      const key = [isolated, ...own].join('\0');
      const known = remembered.get(key) ?? new Map<string, SearchResult>();
      remembered.set(key, known);
      const result = known.get(library) ?? tryPaths(library, own, isolated);
      known.set(library, result);
      return result;
    },
    searchRpath(loader, library) {
      for (const folder of expandFolders(loader, architecture, loader.elf.rpath)) {
        const file = lookup.find(`${folder}/${library}`)?.file;
        const found = file && fit(file);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** Stands for the cache among the folders; no folder is named so. */
const CACHE = '';

/** The file as one that a loader of this architecture takes; undefined when it does not. */
export function asLoadable(file: FileEntry, architecture: Architecture): LoadableFile | undefined {
  const { elf, path } = file;
  if (elf?.machine !== ARCHITECTURE_FACTS[architecture].elfMachine || elf.bits !== 64) return undefined;
  return { path, elf };
}

function resultAt(path: string, file: FileEntry | undefined, found: LoadableFile | undefined): SearchResult {
  const unfit = file !== undefined && found === undefined ? [file.path] : [];
  return { found, foundAt: found && path, searched: [], unfit };
}

function expandFolders(file: LoadableFile, architecture: Architecture, folders: readonly string[]): readonly string[] {
  if (folders.length === 0) return folders;
  const { multiarch, machine } = ARCHITECTURE_FACTS[architecture];
  const values: Readonly<Record<string, string>> = {
    ORIGIN: `/${parentOf(file.path)}`,
    LIB: `lib/${multiarch}`,
    PLATFORM: machine,
  };
  const expand = (text: string): string =>
    text.replaceAll(
      /\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?!\w))/g,
      (whole, braced: string, bare: string) => {
        return values[braced ?? bare] ?? whole;
      },
    );
  return folders.map(expand).filter((folder) => folder.startsWith('/'));
}
