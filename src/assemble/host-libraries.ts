import { dirname } from 'node:path/posix';
import type { Architecture } from '../base/architecture.ts';
import type { HostDisk } from './host-disk.ts';
import { USUAL_LOADER_FOLDERS } from './host-rules.ts';
import { HostTree } from './host-tree.ts';
import { followHostPath } from './host-way.ts';
import type { CachedLibrary } from './ld-so-cache.ts';
import { readLdSoConf } from './ld-so-conf.ts';
import {
  asLoadable,
  librarySearch,
  NO_SEARCH_PATHS,
  type LibrarySearch,
  type LoadableFile,
  type LoadChain,
} from './library-search.ts';

/** A library of this machine, found as its loader finds it. */
export interface HostLibrary {
  readonly file: LoadableFile;
  /** The absolute path by which it was found, links and all. */
  readonly foundAt: string;
}

export interface HostLibraries {
  readonly tree: HostTree;
  /** Looks for `library` on behalf of `file`; `loaders` are those that have it loaded, nearest first: see `DT_RPATH`. */
  find(file: LoadableFile, library: string, loaders: readonly LoadableFile[]): HostLibrary | undefined;
  /** Looks for `library` as a program that says nothing of its own would. */
  findByName(library: string): HostLibrary | undefined;
  /** Folders that the loader searches, by where they really lie. */
  readonly folders: ReadonlySet<string>;
  /** Files that name the configured folders: needed where a library was found in one that is not usual. */
  configurationFor(foundAt: string): readonly string[];
}

/**
 * The libraries of this machine that a loader for `architecture` would find: by the search paths of files, by the folders
 * of ld.so.conf as ldconfig would enter them, in the default folders. Files for other machines are passed over.
 * Folders of `glibc-hwcaps` are left out: an image runs on every processor of its architecture.
 */
export function hostLibraries(disk: HostDisk, architecture: Architecture): HostLibraries {
  const tree = new HostTree(disk);
  const lookup = tree.lookup();
  const conf = readLdSoConf(lookup, tree.contents());
  const searched = [...new Set([...conf.folders, ...USUAL_LOADER_FOLDERS])];
  let search: LibrarySearch | undefined;
  const searchNow = (): LibrarySearch => {
    search ??= librarySearch(tree, { architecture, cache: namedLibraries(tree, searched, architecture) });
    return search;
  };
  const find: HostLibraries['find'] = (file, library, loaders) => {
    const chain = [file, ...loaders].reduceRight<LoadChain | undefined>(
      (loader, one) => ({ file: one, loader }),
      undefined,
    );
    const { found, foundAt } = searchNow().search(chain ?? { file, loader: undefined }, library);
    return found === undefined || foundAt === undefined ? undefined : { file: found, foundAt };
  };
  return {
    tree,
    find,
    findByName: (library) => find(NO_SEARCH_PATHS, library, []),
    folders: realFolders(disk, searched),
    configurationFor: (foundAt) => {
      const folder = dirname(foundAt);
      const isConfigured = conf.folders.includes(folder) && !USUAL_LOADER_FOLDERS.includes(folder);
      return isConfigured ? conf.files.map((path) => `/${path}`) : [];
    },
  };
}

/** What is named like a library in the folders, the first of each name that is for this machine. */
function namedLibraries(tree: HostTree, folders: readonly string[], architecture: Architecture): CachedLibrary[] {
  const lookup = tree.lookup();
  const places = new Map<string, string[]>();
  // Two names of one folder, as /lib and /usr/lib are of merged systems, would make every library a rival of itself.
  const visited = new Set<string>();
  for (const folder of folders) {
    const real = lookup.find(folder)?.path;
    if (real === undefined || visited.has(real)) continue;
    visited.add(real);
    for (const name of lookup.names(folder)) {
      if (!/^(?:lib|ld-).*\.so/.test(name)) continue;
      const known = places.get(name);
      if (known === undefined) places.set(name, [`${folder}/${name}`]);
      else known.push(`${folder}/${name}`);
    }
  }
  const fits = (path: string): boolean => {
    const file = lookup.find(path)?.file;
    return file !== undefined && asLoadable(file, architecture) !== undefined;
  };
  return [...places].flatMap(([soname, paths]) => {
    const path = paths.length === 1 ? paths[0] : paths.find(fits);
    return path === undefined ? [] : [{ soname, path }];
  });
}

function realFolders(disk: HostDisk, folders: readonly string[]): ReadonlySet<string> {
  return new Set(
    folders.flatMap((folder) => {
      const { end } = followHostPath(disk, folder);
      return end.kind === 'folder' ? [end.path] : [];
    }),
  );
}
