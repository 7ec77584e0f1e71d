import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import { parseDifyConfig, parseDifyVariables, type DifyConfig } from '../recipe/dify-config.ts';
import type { ImportBase } from '../recipe/dify-import.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { decodeUtf8 } from '../recipe/utf8-text.ts';

/** Where dify-sandbox looks for Python when nothing says otherwise. */
const DIFY_PYTHON = '/opt/python/bin/python3';
const SUITE = 'trixie';
const LARGEST = 1024 ** 2;

/** Its `conf/config.yaml`. Throws E_CONFIG_VALUE, E_RECIPE_SYNTAX. */
export async function readDifyConfig(path: string): Promise<DifyConfig> {
  return parseDifyConfig(await readDifyText(path), path);
}

/** A file of `NAME=value` lines; no settings where none is named. */
export async function readDifyVariables(path: string | undefined): Promise<DifyConfig> {
  return path === undefined ? new Map() : parseDifyVariables(await readDifyText(path), path);
}

/** A file of dify-sandbox. Throws E_CONFIG_VALUE. */
export async function readDifyText(path: string): Promise<string> {
  const result = await readBoundedFile(path, LARGEST);
  const text = result.kind === 'content' ? decodeUtf8(result.content) : undefined;
  if (text !== undefined) return text;
  const fault = result.kind === 'refused' ? result.fault : result.kind === 'missing' ? 'does not exist' : 'is no UTF-8';
  throw new RootcellarError('E_CONFIG_VALUE', `the file ${quotedWord(path)} ${fault}`, {
    hint: 'name the files of dify-sandbox: conf/config.yaml dependencies/python-requirements.txt',
  });
}

/** The configured Python where this machine has it, else Debian's: either way the recipe can be built here. */
export function chooseBase(config: DifyConfig, base: string | undefined, searchPath: string): ImportBase {
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
