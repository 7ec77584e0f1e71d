import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import {
  mergeDifyConfigs,
  parseDifyConfig,
  parseDifyVariables,
  type DifyConfig,
  type ImportNote,
} from '../recipe/dify-config.ts';
import { importDify, type ImportBase } from '../recipe/dify-import.ts';
import { parseRecipe } from '../recipe/recipe-reader.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { decodeUtf8 } from '../recipe/utf8-text.ts';
import { policyVocabulary } from '../run/policy.ts';
import { syscallKnowledge } from '../run/syscall-knowledge.ts';
import type { CommandContext } from './command-context.ts';
import type { ImportFlags } from './command-line.ts';

export interface ImportRequest {
  /** Path of `config.yaml`. */
  readonly config: string;
  readonly requirements: string | undefined;
  readonly flags: ImportFlags;
}

/** Where dify-sandbox looks for Python when nothing says otherwise. */
const DIFY_PYTHON = '/opt/python/bin/python3';
const SUITE = 'trixie';
const REQUIREMENTS = 'python-requirements.txt';
const LARGEST = 1024 ** 2;

/** `rootcellar import`: dify-sandbox's files as they are → a recipe. What cannot be carried over is said. */
export async function importVerb(context: CommandContext, request: ImportRequest): Promise<number> {
  const { flags } = request;
  const folder = resolve(flags.output);
  const config = await readConfig(request);
  const requirements = request.requirements === undefined ? undefined : await readText(request.requirements);
  const base = chooseBase(config, flags, context.environment['PATH'] ?? '');
  const { recipe, notes } = importDify(config, {
    architecture: context.hostArchitecture,
    base,
    name: recipeName(folder),
    requirements: requirements === undefined ? undefined : REQUIREMENTS,
    syscalls: syscallKnowledge(context.hostArchitecture),
  });
  const text = `# Made by \`rootcellar import\` of ${basename(request.config)}.\n${stringify(recipe, { lineWidth: 0 })}`;
  const file = join(folder, 'recipe.yaml');
  parseRecipe(text, { file, vocabulary: policyVocabulary() });
  const copy = join(folder, REQUIREMENTS);
  const isInPlace = request.requirements !== undefined && resolve(request.requirements) === copy;
  await writeNew([
    { path: file, text },
    ...(requirements === undefined || isInPlace ? [] : [{ path: copy, text: requirements }]),
  ]);
  for (const note of notes) context.reporter.progress({ kind: 'warning', message: noteText(note) });
  const shown = join(flags.output, 'recipe.yaml');
  const python = base.kind === 'host' ? `\`${base.pythonPath}\` of this machine` : `the Python of Debian ${base.suite}`;
  context.reporter.result(`${shown}: written, with ${python}; next: rootcellar build ${flags.output}\n`, {
    recipe: file,
    base: base.kind,
    notes: notes.map(({ setting, text: note }) => ({ key: setting.key, place: { ...setting.place }, note })),
  });
  return 0;
}

async function readConfig({ config, flags }: ImportRequest): Promise<DifyConfig> {
  const settings = parseDifyConfig(await readText(config), config);
  if (flags.env === undefined) return mergeDifyConfigs(settings, new Map());
  return mergeDifyConfigs(settings, parseDifyVariables(await readText(flags.env), flags.env));
}

async function readText(path: string): Promise<string> {
  const result = await readBoundedFile(path, LARGEST);
  const text = result.kind === 'content' ? decodeUtf8(result.content) : undefined;
  if (text !== undefined) return text;
  const fault = result.kind === 'refused' ? result.fault : result.kind === 'missing' ? 'does not exist' : 'is no UTF-8';
  throw new RootcellarError('E_CONFIG_VALUE', `the file ${quotedWord(path)} ${fault}`, {
    hint: 'name the files of dify-sandbox: conf/config.yaml dependencies/python-requirements.txt',
  });
}

/** The configured Python where this machine has it, else Debian's: either way the recipe can be built here. */
function chooseBase(config: DifyConfig, { base }: ImportFlags, searchPath: string): ImportBase {
  if (base !== undefined && base !== 'host' && base !== 'debian') {
    throw new RootcellarError('E_USAGE', `--base: there is no ${quotedWord(base)}`, { hint: 'use host or debian' });
  }
  const configured = config.get('python_path')?.value ?? DIFY_PYTHON;
  const wanted = typeof configured === 'string' ? configured : configured.join(',');
  const found = findProgram(wanted, searchPath);
  if (base === 'debian' || (base === undefined && found === undefined)) return { kind: 'debian', suite: SUITE };
  return { kind: 'host', pythonPath: found ?? wanted, isThere: existsSync };
}

/** As dify-sandbox does it: an absolute path, or a name that is looked for on `PATH`. */
function findProgram(name: string, searchPath: string): string | undefined {
  const folders = name.includes('/') ? [''] : searchPath.split(delimiter).filter((folder) => folder.startsWith('/'));
  return folders
    .map((folder) => (folder === '' ? name : join(folder, name)))
    .find((path) => path.startsWith('/') && isProgram(path));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Whatever the reason, it cannot be run: the Python of Debian is taken instead, and that is said.
    return false;
  }
}

function recipeName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 64);
  return name === '' ? 'sandbox' : name;
}

interface NewFile {
  readonly path: string;
  readonly text: string;
}

/** All of them or, when one is there already, none. */
async function writeNew(files: readonly NewFile[]): Promise<void> {
  for (const { path } of files) if (existsSync(path)) throw isThere(path);
  for (const { path, text } of files) {
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text, { flag: 'wx' });
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }
}

function isThere(path: string): RootcellarError {
  return new RootcellarError('E_USAGE', `-o: ${quotedWord(path)} is there already`, {
    hint: 'name a folder that has no recipe yet, or remove the file',
  });
}

const UNWRITABLE: readonly (readonly [string, string])[] = [
  ['EACCES', 'may not be written by this user'],
  ['EPERM', 'may not be written by this user'],
  ['EROFS', 'is on a file system that is read-only'],
  ['ENOTDIR', 'is not below a folder'],
  ['EEXIST', 'is not below a folder'],
  ['ELOOP', 'is below a link that leads in a circle'],
  ['ENAMETOOLONG', 'has too long a name'],
  ['ENOENT', 'is where no folder can be made'],
];

function cannotWrite(path: string, error: unknown): unknown {
  if (isErrno(error, 'EEXIST') && existsSync(path)) return isThere(path);
  const [, fault] = UNWRITABLE.find(([name]) => isErrno(error, name)) ?? [];
  if (fault === undefined) return error;
  const hint = 'name another folder, such as recipes/mine';
  return new RootcellarError('E_USAGE', `-o: ${quotedWord(path)} ${fault}`, { hint, cause: error });
}

function noteText({ setting, text }: ImportNote): string {
  const { file, line, column } = setting.place;
  return `${file}:${line}:${column}: \`${setting.key}\`: ${text}`;
}
