import { linkTarget, nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { standardLibrary } from '../resolve/interpreter-facts.ts';
import { baseFiles, type GeneratedEntry, type SystemFacts } from './base-files.ts';
import type { MissingLibrary } from './elf-closure.ts';
import type { Generator } from './generated-entries.ts';
import { interpreterLayout } from './interpreter-files.ts';
import { lookupIn } from './tree-lookup.ts';
import type { Contents, ContentSink, FileEntry, Tree } from './tree.ts';
import { trimTree, type TrimmedFiles } from './trim-tree.ts';
import { formatRecord, parseRecord } from './wheel-record.ts';

/** What `trim` did to an image. */
export interface Trimmed {
  readonly rules: readonly TrimmedFiles[];
  /** Of each package that lost files, by what it is called in the tree, how many. */
  readonly packages: ReadonlyMap<string, number>;
}

interface TrimmedImage {
  readonly tree: Tree;
  readonly trimmed: Trimmed | undefined;
  readonly gone: ReadonlyMap<ImagePath, string>;
  /** Folders that every image has, whether they are empty now or not. */
  readonly folders: readonly GeneratedEntry[];
  readonly warnings: readonly string[];
}

export interface TrimInput {
  readonly system: SystemFacts;
  readonly trim?: readonly string[] | undefined;
  readonly sink: ContentSink;
}

/**
 * The tree without what the recipe trims. RECORD files of Python packages list what is there.
 * E_TRIM: the interpreter would not start. Missing libraries are found by `checkClosure` afterwards.
 */
export async function trimImage(tree: Tree, input: TrimInput, generator: Generator): Promise<TrimmedImage> {
  const { system, trim = [], sink } = input;
  if (trim.length === 0) return { tree, trimmed: undefined, gone: new Map(), folders: [], warnings: [] };
  const { contents } = generator;
  const { tree: left, trimmed, gone, unused } = trimTree(tree, trim, contents);
  refuseBrokenInterpreter(tree, gone, system);
  const packages = new Map<string, number>();
  for (const path of gone.keys()) {
    const entry = tree.get(path);
    if (entry === undefined || entry.kind === 'directory') continue;
    packages.set(entry.origin, (packages.get(entry.origin) ?? 0) + 1);
  }
  return {
    tree: await withShortRecords(left, { gone, contents, sink }),
    trimmed: { rules: trimmed, packages },
    gone,
    folders: baseFiles(system, left).filter(({ kind }) => kind === 'directory'),
    warnings: unused.map((glob) => `trim: \`${glob}\` meets nothing`),
  };
}

/** Modules without which an interpreter does not come to the first line of a program. */
const START_MODULES = ['encodings/__init__.py', 'encodings/aliases.py', 'encodings/utf_8.py', 'site.py', 'os.py'];

function refuseBrokenInterpreter(tree: Tree, gone: ReadonlyMap<ImagePath, string>, { interpreter }: SystemFacts): void {
  if (interpreter === undefined || lookupIn(tree).find(interpreter.path)?.file?.elf === undefined) return;
  const { files } = interpreterLayout(tree, interpreter);
  const needed = files.filter((path) => !path.includes('/encodings/'));
  const modules = START_MODULES.map((name) => `${standardLibrary(interpreter).slice(1)}/${name}`);
  const problems = [...new Set([...needed, ...modules])].flatMap((path) => {
    const rule = gone.get(path);
    if (rule === undefined) return [];
    const message = `trim: \`${rule}\` takes \`/${path}\`, without which \`${interpreter.path}\` does not start`;
    return [{ code: 'E_TRIM' as const, message, hint: `add "!/${path}" to \`trim\`` }];
  });
  if (problems.length > 0) throw RootcellarError.ofProblems(problems.slice(0, 10));
}

interface RecordInput {
  readonly gone: ReadonlyMap<ImagePath, string>;
  readonly contents: Contents;
  readonly sink: ContentSink;
}

async function withShortRecords(tree: Tree, { gone, contents, sink }: RecordInput): Promise<Tree> {
  const entries = new Map(tree);
  for (const entry of tree.values()) {
    if (entry.kind !== 'file' || !entry.path.endsWith('.dist-info/RECORD')) continue;
    const text = shortRecord(entry, gone, contents);
    if (text !== undefined) entries.set(entry.path, { ...entry, ...(await sink.write([Buffer.from(text)])) });
  }
  return entries;
}

/** Paths in a RECORD are relative to the folder that holds the `dist-info`. Undefined when it lists nothing that is gone. */
function shortRecord(entry: FileEntry, gone: ReadonlyMap<ImagePath, string>, contents: Contents): string | undefined {
  const chunks = Array.from(contents.chunks(entry.digest, entry.size), (chunk) => Buffer.from(chunk));
  const lines = [...parseRecord(Buffer.concat(chunks).toString('utf8')).values()];
  const left = lines.filter(({ path }) => !gone.has(linkTarget(parentOf(entry.path), path)));
  return left.length === lines.length ? undefined : formatRecord(left);
}

interface TrimCulprit {
  readonly missing: readonly MissingLibrary[];
  readonly gone: ReadonlyMap<ImagePath, string>;
  /** As it was before. */
  readonly tree: Tree;
}

/** The error of a closure, with a way out where it was `trim` that took a library. */
export function withTrimHints(error: RootcellarError, { missing, gone, tree }: TrimCulprit): RootcellarError {
  const lookup = lookupIn(tree);
  const taken = new Map([...gone.keys()].map((path) => [nameOf(path), path]));
  const problems = error.problems.map((problem) => {
    const library = missing.find((one) => problem.message.startsWith(`\`${one.library}\``))?.library ?? '';
    const path = taken.get(nameOf(library));
    if (path === undefined) return problem;
    const real = lookup.find(path)?.path ?? path;
    const kept = real.startsWith(path) ? [`"!/${path}${real === path ? '' : '*'}"`] : [`"!/${path}"`, `"!/${real}"`];
    return { ...problem, hint: `\`trim\` takes it: add ${kept.join(' and ')} to \`trim\`` };
  });
  return RootcellarError.ofProblems(problems);
}
