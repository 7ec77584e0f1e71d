import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';
import { accessSettings } from './access-settings.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import {
  defaultIndexOf,
  mergeIndexes,
  pipEnvironmentIndexes,
  pipFileIndexes,
  settingsFiles,
  uvEnvironmentIndexes,
  uvFileIndexes,
  type IndexSettings,
} from './index-settings.ts';
import type { Environment, ResolverSettings } from './resolver-settings.ts';
import { runTool } from './run-tool.ts';

/** What this machine is set up for. */
export interface MachineIndexes {
  readonly uv: IndexSettings;
  readonly pip: IndexSettings;
  /** Text of the user's netrc file, when there is one. */
  readonly netrc: string | undefined;
  /** Whether the program `keyring` may be asked for logins. */
  readonly keyring: boolean;
  readonly trustedHosts: readonly string[];
  /** Files with authorities that pip's settings name. */
  readonly authorities: readonly string[];
  readonly proxy: string | undefined;
}

/** Throws E_RESOLVER_FAILED when uv's own settings file cannot be read. */
export async function readMachineIndexes(settings: ResolverSettings): Promise<MachineIndexes> {
  const { environment } = settings;
  const files = settingsFiles(environment);
  const [uvTexts, pipTexts, netrc] = await Promise.all([
    Promise.all(files.uv.map(readIfThere)),
    Promise.all(files.pip.map(readIfThere)),
    readNetrc(environment),
  ]);
  const uvFiles = uvTexts.map((text, number) => {
    const indexes = uvFileIndexes(text ?? '', environment);
    if (indexes === undefined)
      throw new RootcellarError('E_RESOLVER_FAILED', `${files.uv[number] ?? ''}: it is no TOML`);
    return indexes;
  });
  return {
    uv: mergeIndexes([...uvFiles, uvEnvironmentIndexes(environment)]),
    pip: mergeIndexes([...pipTexts.map((text) => pipFileIndexes(text ?? '')), pipEnvironmentIndexes(environment)]),
    netrc,
    ...accessSettings({ environment, uvTexts, pipTexts }),
  };
}

/** curl, uv and pip take the first; Windows' name is for folders that are shared. */
async function readNetrc(environment: Environment): Promise<string | undefined> {
  const named = environment['NETRC'];
  const home = environment['HOME'] ?? '';
  const files = named === undefined ? [`${home}/.netrc`, `${home}/_netrc`] : [named];
  const texts = await Promise.all(files.map(readIfThere));
  return texts.find((text) => text !== undefined);
}

/** What a tool says of itself, asked once: the answer is kept, also for machines that have no tool when they build. */
export async function defaultIndex(
  settings: ResolverSettings,
  lastResort: (() => Promise<string>) | undefined,
): Promise<string | undefined> {
  const kept = await readIfThere(join(settings.cacheFolder, KEPT_DEFAULT));
  if (kept !== undefined) return kept;
  const found = (await askTools(TOOLS, settings)) ?? defaultIndexOf((await lastResort?.()) ?? '');
  if (found !== undefined) await keepDefault(found, settings);
  return found;
}

const KEPT_DEFAULT = 'default-index';

const TOOLS = [
  { program: 'uv', arguments: ['help', 'pip', 'compile'] },
  { program: 'pip', arguments: ['download', '--help'] },
  { program: 'pip3', arguments: ['download', '--help'] },
  { program: 'python3', arguments: ['-m', 'pip', 'download', '--help'] },
];

async function askTools(tools: typeof TOOLS, settings: ResolverSettings): Promise<string | undefined> {
  const [tool, ...others] = tools;
  if (tool === undefined) return undefined;
  const environment = {
    ...settings.environment,
    COLUMNS: '500',
    PIP_INDEX_URL: undefined,
    UV_DEFAULT_INDEX: undefined,
  };
  const answer = await runTool({ ...tool, environment, folder: '/', signal: settings.signal, timeoutMs: 60_000 });
  return defaultIndexOf(answer?.stdout ?? '') ?? (await askTools(others, settings));
}

async function keepDefault(url: string, { cacheFolder }: ResolverSettings): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const partial = join(cacheFolder, `${KEPT_DEFAULT}.${pid}`);
  await writeFile(partial, url);
  await rename(partial, join(cacheFolder, KEPT_DEFAULT));
}

async function readIfThere(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  });
}
