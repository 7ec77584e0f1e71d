import { ARCHITECTURES, ARCHITECTURE_FACTS } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { linkTarget, nameOf, parentOf } from '../base/image-path.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { standardLibrary } from '../resolve/interpreter-facts.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import type { CachedLibrary } from './ld-so-cache.ts';
import { librarySearch } from './library-search.ts';
import type { LibrarySearch, LoadableFile } from './library-search.ts';
import { lookupIn } from './tree-lookup.ts';
import type { TreeLookup } from './tree-lookup.ts';
import type { Tree } from './tree.ts';

/** What must be on disk for the image's interpreter to compile, without the rest of the image. */
export interface InterpreterLayout {
  /** Files, and links on the way to them, in byte order. No component of a path but the last is a link. */
  readonly files: readonly ImagePath[];
  readonly program: ImagePath;
  /** Undefined for a static program. */
  readonly loader: ImagePath | undefined;
  /** Where its libraries lie. */
  readonly libraryFolders: readonly ImagePath[];
  /** What is `PYTHONHOME` for it. */
  readonly home: ImagePath;
}

/** Modules that an interpreter loads before anything else; from 3.11 on most are built in ("frozen"). */
const START_MODULES = [
  '_collections_abc.py',
  '_weakrefset.py',
  'abc.py',
  'codecs.py',
  'genericpath.py',
  'io.py',
  'os.py',
  'posixpath.py',
  'stat.py',
];

/**
 * Finds the interpreter, its loader, the libraries that it needs and the few modules that it needs to start.
 * `cache` is what its ld.so.cache would hold, for libraries outside of the default folders. The modules include all of `encodings`, for sources that are not in UTF-8.
 * Throws E_BYTECODE when the tree has no such interpreter. Its libraries are checked by `checkClosure`.
 */
export function interpreterLayout(
  tree: Tree,
  interpreter: Interpreter,
  cache: readonly CachedLibrary[] = [],
): InterpreterLayout {
  const lookup = lookupIn(tree);
  const program = lookup.find(interpreter.path)?.file;
  const architecture = ARCHITECTURES.find((name) => ARCHITECTURE_FACTS[name].elfMachine === program?.elf?.machine);
  if (program?.elf === undefined || architecture === undefined) {
    throw new RootcellarError('E_BYTECODE', `\`${interpreter.path}\`: is no program for a known machine`);
  }
  const loader = program.elf.interpreter === undefined ? undefined : lookup.find(program.elf.interpreter)?.path;
  const search = librarySearch(tree, { architecture, cache });
  const libraries = librariesOf(search, { path: program.path, elf: program.elf });
  const ways = libraries.flatMap((path) => wayTo(tree, lookup, path));
  const library = standardLibrary(interpreter).slice(1);
  const modules = startModules(lookup, library);
  const files = [program.path, ...(loader === undefined ? [] : [loader]), ...ways, ...modules];
  return {
    files: [...new Set(files)].toSorted(byteOrder),
    program: program.path,
    loader,
    libraryFolders: [...new Set(ways.map(parentOf))].toSorted(byteOrder),
    home: parentOf(parentOf(library)),
  };
}

/** Paths, by the name they are needed by, of all libraries that `program` needs directly or not. */
function librariesOf(search: LibrarySearch, program: LoadableFile): readonly string[] {
  const paths = new Set<string>();
  const loaded = new Map([[program.path, program]]);
  for (const file of loaded.values()) {
    for (const library of file.elf.needed) {
      const { found, foundAt } = search.search({ file, loader: undefined }, library);
      if (found === undefined || foundAt === undefined) continue;
      loaded.set(found.path, loaded.get(found.path) ?? found);
      paths.add(foundAt);
    }
  }
  return [...paths];
}

/** The links that `path` leads over, and the file that they lead to, each in the folder where it really lies. */
function wayTo(tree: Tree, lookup: TreeLookup, path: string): readonly ImagePath[] {
  const folder = lookup.find(parentOf(path))?.path ?? '';
  const here = `${folder}/${nameOf(path)}`;
  const entry = tree.get(here);
  if (entry?.kind !== 'symlink') return entry === undefined ? [] : [here];
  return [here, ...wayTo(tree, lookup, linkTarget(here, entry.target))];
}

function startModules(lookup: TreeLookup, library: ImagePath): readonly ImagePath[] {
  const encodings = lookup.names(`${library}/encodings`).filter((name) => name.endsWith('.py'));
  const names = [...START_MODULES, ...encodings.map((name) => `encodings/${name}`)];
  // The compiler looks up `\N{…}` in strings there, where the module is not built in.
  const unicode = lookup.names(`${library}/lib-dynload`).filter((name) => name.startsWith('unicodedata.'));
  const all = [...names, ...unicode.map((name) => `lib-dynload/${name}`)];
  return all.flatMap((name) => lookup.find(`${library}/${name}`)?.path ?? []);
}
