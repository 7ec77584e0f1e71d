import { lookupIn } from './assemble/tree-lookup.ts';
import type { Digest } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import type { ProgramFile } from './run/launch-plan.ts';
import type { ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { readTree } from './store/images.ts';
import type { Store } from './store/store.ts';

/** What is to be run: a file, text given on the command line, or what comes on stdin. */
export type Program =
  | { readonly kind: 'file'; readonly file: ProgramFile }
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'stdin' };

export interface ProgramQuestion {
  readonly image: Image;
  readonly manifest: ImageManifest;
  readonly program: Program;
  /** Where the program's file is in the cell, with a slash at its end. */
  readonly folder: string;
}

/**
 * The interpreter and the words before the program's own arguments. Node.js runs `*.js`, `*.mjs` and `*.cjs`, and where there is
 * no Python, text and stdin too; Python runs everything else. Throws E_PROGRAM_NOT_FOUND for an image that has not the one it takes.
 */
export async function programWords(
  { image, manifest, program, folder }: ProgramQuestion,
  store: Store,
): Promise<readonly string[]> {
  const python = manifest.interpreter?.path;
  const isScript = program.kind === 'file' && /\.[cm]?js$/.test(program.file.name);
  if (python !== undefined && !isScript) return pythonWords(python, program, folder);
  const node = await nodePath(image, store);
  if (isScript || (node !== undefined && program.kind !== 'file')) {
    if (node === undefined) throw missing(manifest.name, 'Node.js', 'nodejs');
    return nodeWords(node, program, folder);
  }
  throw missing(manifest.name, 'Python', 'python3');
}

/** Isolated (`-I`): no environment, no user site, no folder of the program on the module path. */
function pythonWords(python: string, program: Program, folder: string): readonly string[] {
  const words = [python, '-I', '-B'];
  if (program.kind === 'stdin') return [...words, '-'];
  return program.kind === 'code' ? [...words, '-c', program.code] : [...words, `${folder}${program.file.name}`];
}

/** `--` after the text, or an argument such as `--require` would be Node's own. */
function nodeWords(node: string, program: Program, folder: string): readonly string[] {
  if (program.kind === 'stdin') return [node, '-'];
  return program.kind === 'code' ? [node, '-e', program.code, '--'] : [node, `${folder}${program.file.name}`];
}

/** Of Debian's package, and of Node's own archives as its official images have them unpacked. */
const NODE_PATHS = ['/usr/bin/node', '/usr/local/bin/node'] as const;

/** By digest: an image never changes, and to read what it has takes longer than to start Node.js. */
const nodePaths = new Map<Digest, Promise<string | undefined>>();

/** Where an image has Node.js; undefined: it has none. */
export async function nodePath(image: Image, store: Store): Promise<string | undefined> {
  const known = nodePaths.get(image.diffId) ?? findNode(image, store);
  nodePaths.set(image.diffId, known);
  return known;
}

async function findNode(image: Image, store: Store): Promise<string | undefined> {
  const lookup = lookupIn(await readTree(store, image));
  return NODE_PATHS.find((path) => lookup.find(path)?.file !== undefined);
}

function missing(image: string, what: string, debianPackage: string): RootcellarError {
  return new RootcellarError('E_PROGRAM_NOT_FOUND', `image \`${image}\`: has no ${what} to run a program with`, {
    hint: `add \`${debianPackage}\` to \`base.debian.packages\` in its recipe, and build it again`,
  });
}
