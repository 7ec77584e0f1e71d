import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pid } from 'node:process';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import {
  defaultIndexOf,
  isSet,
  mergeIndexes,
  pipEnvironmentIndexes,
  pipFileIndexes,
  settingsFiles,
  uvEnvironmentIndexes,
  uvFileIndexes,
  type IndexSettings,
} from './index-settings.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { runTool } from './run-tool.ts';

/** What this machine is set up for. */
export interface MachineIndexes {
  readonly uv: IndexSettings;
  readonly pip: IndexSettings;
  /** Text of the user's netrc file, when there is one. */
  readonly netrc: string | undefined;
}

/** Throws E_RESOLVER_FAILED when uv's own settings file cannot be read. */
export async function readMachineIndexes(settings: ResolverSettings): Promise<MachineIndexes> {
  const { environment } = settings;
  const files = settingsFiles(environment);
  const [uvTexts, pipTexts, netrc] = await Promise.all([
    Promise.all(files.uv.map(readIfThere)),
    Promise.all(files.pip.map(readIfThere)),
    readIfThere(environment['NETRC'] ?? `${environment['HOME'] ?? ''}/.netrc`),
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
  };
}

export interface IndexQuestion {
  readonly settings: ResolverSettings;
  /** Gives the help text of a pip that is not on PATH. */
  readonly lastResort?: (() => Promise<string>) | undefined;
}

/**
 * Addresses of the package indexes to look a locked file up in, best first: the recipe's, else those that uv and pip are
 * set up for, else the default that one of them names. Throws E_INDEX_UNKNOWN when there is none.
 */
export async function indexAddresses(
  recipeIndex: string | undefined,
  machine: MachineIndexes,
  { settings, lastResort }: IndexQuestion,
): Promise<readonly string[]> {
  if (recipeIndex !== undefined) return [recipeIndex];
  const configured = [machine.uv, machine.pip].filter(isSet);
  const mains = configured.flatMap(({ main }) => main ?? []);
  const extras = configured.flatMap(({ extra }) => extra);
  if (mains.length > 0) return [...new Set([...extras, ...mains])];
  const usual = await toolDefault(settings, lastResort);
  if (usual === undefined && extras.length === 0) {
    throw new RootcellarError('E_INDEX_UNKNOWN', 'python packages: no package index is known on this machine', {
      hint: 'set `python.index_url` in the recipe, or PIP_INDEX_URL, or install uv',
    });
  }
  return [...new Set([...extras, ...(usual === undefined ? [] : [usual])])];
}

/** What a tool says of itself, asked once: the answer is kept, also for machines that have no tool when they build. */
async function toolDefault(
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
