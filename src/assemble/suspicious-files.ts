import { nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { standardLibrary } from '../resolve/interpreter-facts.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import type { AssemblePart } from './assemble-tree.ts';
import type { Contents, FileEntry, Tree } from './tree.ts';

export interface SuspicionFacts {
  readonly tree: Tree;
  readonly parts: readonly AssemblePart[];
  readonly interpreter: Interpreter | undefined;
  readonly contents: Contents;
}

/**
 * One line for a person for each thing in an image that runs code, or decides which code is run, without being asked for by
 * name. None of it is an error: a cell holds whatever runs. But whoever chose the packages should know.
 */
export function suspiciousFiles(facts: SuspicionFacts): readonly string[] {
  return [...preloads(facts), ...startHooks(facts), ...standardLibraryFiles(facts), ...writableSearchPaths(facts)];
}

/** Source: ld.so(8), `/etc/ld.so.preload`. */
function preloads({ tree }: SuspicionFacts): readonly string[] {
  const entry = tree.get('etc/ld.so.preload');
  if (entry === undefined || (entry.kind === 'file' && entry.size === 0)) return [];
  return [`${entry.origin}: \`/etc/ld.so.preload\` loads libraries into every program`];
}

/** Source: the documentation of Python's `site`: lines of .pth files that begin with `import`, and two modules by name. */
function startHooks({ tree, interpreter, contents }: SuspicionFacts): readonly string[] {
  if (interpreter === undefined) return [];
  const site = interpreter.sitePath.slice(1);
  const files = [...tree.values()].filter((entry) => parentOf(entry.path) === site && isStartHook(entry.path));
  return files.flatMap((entry) => {
    if (entry.kind === 'file' && entry.path.endsWith('.pth') && !importsSomething(entry, contents)) return [];
    return [`${entry.origin}: \`/${entry.path}\` runs code whenever Python starts`];
  });
}

function isStartHook(path: ImagePath): boolean {
  const name = nameOf(path);
  return name.endsWith('.pth') || /^(?:sitecustomize|usercustomize)(?:\.|$)/.test(name);
}

/** A .pth file of more than this is not read: nobody writes such a list of folders. */
const LARGEST_PTH = 64 * 1024;

function importsSomething({ digest, size }: FileEntry, contents: Contents): boolean {
  if (size > LARGEST_PTH) return true;
  const text = Buffer.concat([...contents.chunks(digest, size)].map((chunk) => Buffer.from(chunk))).toString('latin1');
  return /^import[ \t]/m.test(text);
}

/** A wheel has its own folder; what it puts beside the standard library is found before any installed package. */
function standardLibraryFiles({ parts, interpreter }: SuspicionFacts): readonly string[] {
  const version = /^\d+\.\d+/.exec(interpreter?.version ?? '')?.[0];
  if (interpreter === undefined || version === undefined) return [];
  const library = `${standardLibrary(interpreter).slice(1)}/`;
  return parts.flatMap(({ artifact, unpacked }) => {
    if (artifact.kind !== 'wheel') return [];
    const found = unpacked.entries.find(
      ({ path }) => path.startsWith(library) && !/\/(?:site|dist)-packages\//.test(path),
    );
    if (found === undefined) return [];
    return [`${artifact.name} ${artifact.version}: \`/${found.path}\` lies in the standard library of Python`];
  });
}

const WRITABLE = /^\/(?:tmp|var\/tmp|dev\/shm)(?:\/|$)/;

/** Source: ld.so(8): RPATH and RUNPATH are searched as they are; an empty or relative one means the current folder. */
function writableSearchPaths({ tree }: SuspicionFacts): readonly string[] {
  const found = new Map<string, { readonly folder: string; count: number }>();
  for (const entry of tree.values()) {
    if (entry.kind !== 'file' || entry.elf === undefined) continue;
    const folder = [...entry.elf.rpath, ...entry.elf.runpath].find(isWritable);
    if (folder === undefined) continue;
    const known = found.get(entry.origin);
    if (known === undefined) found.set(entry.origin, { folder, count: 1 });
    else known.count += 1;
  }
  return [...found].map(([origin, { folder, count }]) => {
    const who = count === 1 ? 'a library looks' : `${count} libraries look`;
    return `${origin}: ${who} for others in \`${folder}\`, which a program can write to`;
  });
}

function isWritable(folder: string): boolean {
  return WRITABLE.test(folder) || !/^(?:\/|\$ORIGIN\b|\$\{ORIGIN\})/.test(folder);
}
