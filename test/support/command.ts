import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa, type Options } from 'execa';
import { inject } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
export const COMMAND: string = join(ROOT, 'dist/cli/main.js');
const RECIPES: string = join(ROOT, 'recipes');

/** How a command ended. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly home?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly uid?: number;
  /** Another program, with its own words, that starts the command, such as `['unshare', '-n']`. */
  readonly through?: readonly string[];
  readonly cancelSignal?: AbortSignal;
}

/** The store that all end-to-end tests of a session share. */
export function sharedHome(): string {
  return join(inject('e2eFolder'), 'store');
}

/** Runs `rootcellar` as it was built, with a store of the tests. */
export async function rootcellar(words: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const [program = process.execPath, ...rest] = [...(options.through ?? []), process.execPath, COMMAND, ...words];
  const own: Options = {
    reject: false,
    stripFinalNewline: false,
    env: { ROOTCELLAR_HOME: options.home ?? sharedHome(), ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    ...(options.cancelSignal === undefined ? {} : { cancelSignal: options.cancelSignal }),
  };
  const { exitCode, stdout, stderr } = await execa(program, rest, own);
  return { status: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) };
}

/** A temporary folder that is gone at the end of the block. */
export interface Workplace extends AsyncDisposable {
  readonly folder: string;
  path(...names: readonly string[]): string;
  /** Writes files by path below the folder. */
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
}

export async function workplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'rootcellar-test-'));
  return {
    folder,
    path: (...names) => join(folder, ...names),
    write: async (files) => {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), content);
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A copy of one of our recipes: as it is, or without its lockfile and for this machine's architecture alone. */
export async function copyRecipe(name: string, target: string, { locked = false } = {}): Promise<string> {
  await cp(join(RECIPES, name), target, { recursive: true });
  if (locked) return target;
  await rm(join(target, 'recipe.lock.json'), { force: true });
  const own = process.arch === 'x64' ? 'amd64' : 'arm64';
  const file = join(target, 'recipe.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/^architectures: .*$/m, `architectures: [${own}]`));
  return target;
}

/** The image `python`, locked anew and built into the shared store once in a session. */
export async function pythonImage(): Promise<string> {
  const folder = join(inject('e2eFolder'), 'python');
  if (await isEmpty(folder)) await copyRecipe('python', folder);
  const built = await rootcellar(['build', folder]);
  if (built.status !== 0) throw new Error(`recipes/python cannot be built:\n${built.stderr}`);
  return 'python';
}

/** An image with Debian's Node.js and profile `node`, made in the same way. */
export async function nodeImage(): Promise<string> {
  const folder = join(inject('e2eFolder'), 'node');
  const own = process.arch === 'x64' ? 'amd64' : 'arm64';
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'recipe.yaml'), NODE_RECIPE.replace('OWN', own));
  const built = await rootcellar(['build', folder]);
  if (built.status !== 0) throw new Error(`a recipe with Node.js cannot be built:\n${built.stderr}`);
  return 'nodejs';
}

const NODE_RECIPE = `name: nodejs
architectures: [OWN]
base: { debian: { suite: trixie, packages: [nodejs, ca-certificates] } }
trim: [docs, locale, man]
sandbox: { syscalls: { profile: node } }
`;

/** Names below a folder; empty where there is no folder. */
export async function namesBelow(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  return (await namesBelow(folder)).length === 0;
}
