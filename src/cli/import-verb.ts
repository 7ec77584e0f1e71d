import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { mergeDifyConfigs, type ImportNote } from '../recipe/dify-config.ts';
import { importDify } from '../recipe/dify-import.ts';
import { parseRecipe } from '../recipe/recipe-reader.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { policyVocabulary } from '../run/policy.ts';
import { syscallKnowledge } from '../run/syscall-knowledge.ts';
import type { CommandContext } from './command-context.ts';
import type { ImportFlags } from './command-line.ts';
import { chooseBase, readDifyConfig, readDifyText, readDifyVariables } from './dify-files.ts';

export interface ImportRequest {
  /** Path of `config.yaml`. */
  readonly config: string;
  readonly requirements: string | undefined;
  readonly flags: ImportFlags;
}

const REQUIREMENTS = 'python-requirements.txt';

/** `rootcellar import`: dify-sandbox's files as they are → a recipe. What cannot be carried over is said. */
export async function importVerb(context: CommandContext, request: ImportRequest): Promise<number> {
  const { flags } = request;
  const folder = resolve(flags.output);
  const config = mergeDifyConfigs(await readDifyConfig(request.config), await readDifyVariables(flags.env));
  const requirements = request.requirements === undefined ? undefined : await readDifyText(request.requirements);
  const base = chooseBase(config, flags.base, context.environment['PATH'] ?? '');
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

export function noteText({ setting, text }: ImportNote): string {
  const { file, line, column } = setting.place;
  return `${file}:${line}:${column}: \`${setting.key}\`: ${text}`;
}
