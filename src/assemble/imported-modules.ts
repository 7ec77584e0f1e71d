import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { LARGEST_SOURCE } from './bytecode-plan.ts';
import { pythonImports, type PythonImport } from './python-imports.ts';
import type { Contents, FileEntry } from './tree.ts';

const ROOT = /^(?:.*\/)?(?:(?:site|dist)-packages|lib\/python3[^/]*)(?=\/)/;

export interface ImportQuestion {
  /** Python sources and extension modules. */
  readonly modules: readonly FileEntry[];
  /** Names of files and folders, without ending: whoever imports one of `modules` from outside names one of these. */
  readonly words: readonly string[];
  /** Python sources that may import them. */
  readonly others: readonly FileEntry[];
  readonly contents: Contents;
}

/**
 * Those of `modules` that one of `others` imports, directly or by way of one that is imported, with the packages that
 * they lie in.
 */
export function importedModules({ modules, words, others, contents }: ImportQuestion): ReadonlySet<ImagePath> {
  const index = indexOf(modules);
  const named = new RegExp(`\\b(?:${words.filter((word) => /^\w+$/.test(word)).join('|')})\\b`);
  const roots = [...new Set(modules.flatMap(({ path }) => ROOT.exec(path)?.[0] ?? []))];
  const imported = new Set<ImagePath>();
  let sources = others;
  while (sources.length > 0) {
    const found = sources.flatMap((source) => {
      const text = textOf(source, contents);
      if (text === undefined || (sources === others && !named.test(text))) return [];
      return pythonImports(text).flatMap((one) =>
        placesOf(one, { source, roots }).flatMap((place) => index.get(place) ?? []),
      );
    });
    sources = found.filter(({ path }) => imported.size < imported.add(path).size);
  }
  return imported;
}

/** By path without ending, or of the folder for its `__init__`; what lies in `lib-dynload` by where it is imported from. */
function indexOf(modules: readonly FileEntry[]): ReadonlyMap<ImagePath, readonly FileEntry[]> {
  const index = new Map<ImagePath, FileEntry[]>();
  for (const entry of modules) {
    const place = placeOf(entry.path);
    const known = index.get(place);
    if (known === undefined) index.set(place, [entry]);
    else known.push(entry);
  }
  return index;
}

function placeOf(path: ImagePath): ImagePath {
  const folder = parentOf(path).replace(/\/lib-dynload$/, '');
  const name = nameOf(path).replace(/\..*$/, '');
  return name === '__init__' ? folder : `${folder}/${name}`;
}

interface Importer {
  readonly source: FileEntry;
  readonly roots: readonly ImagePath[];
}

/** Where the modules of an import statement, and the packages around them, would lie. */
function placesOf({ level, modules }: PythonImport, { source, roots }: Importer): readonly ImagePath[] {
  const starts = level === 0 ? roots : [folderAbove(source.path, level)];
  return modules.flatMap((names) =>
    names.flatMap((_, index) => starts.map((start) => `${start}/${names.slice(0, index + 1).join('/')}`)),
  );
}

function folderAbove(path: ImagePath, level: number): ImagePath {
  let folder = parentOf(path);
  for (let up = 1; up < level; up += 1) folder = parentOf(folder);
  return folder;
}

function textOf({ digest, size }: FileEntry, contents: Contents): string | undefined {
  if (size > LARGEST_SOURCE) return undefined;
  const chunks: Buffer[] = [];
  for (const chunk of contents.chunks(digest, size)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('latin1');
}
