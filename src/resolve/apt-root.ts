import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { byteOrder } from '../base/byte-order.ts';
import { digestOf, shortDigest } from '../base/digest.ts';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { WantedVersions } from './agreement.ts';
import {
  APT_PATHS_QUERY,
  aptEnvironment,
  parseAptPaths,
  pinPreferences,
  privateAptConfig,
  transportSettings,
  type AptPaths,
} from './apt-config.ts';
import { formatSources, parseListFile, parseSourcesFile, type SourceEntry } from './debian-sources.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { runTool, syncFileSystem, type ToolResult } from './run-tool.ts';
import { withTemporaryFolder } from './temporary-folder.ts';

/** What this machine's apt is set up for. */
export interface MachineApt {
  readonly version: string;
  readonly paths: AptPaths;
  readonly transport: readonly string[];
  readonly entries: readonly SourceEntry[];
  /** Texts of its credentials files, in netrc's format; those that may not be read are left out. */
  readonly auth: string;
  /** Of this machine's own release, such as `bookworm`. */
  readonly codename: string | undefined;
}

/** A root of its own for apt: sources, lists and caches of one suite and architecture. Lives as long as the callback. */
export interface AptRoot {
  readonly folder: string;
  readonly architecture: string;
  readonly run: (program: 'apt-get' | 'apt-cache', parameters: readonly string[]) => Promise<ToolResult>;
  readonly setSources: (entries: readonly SourceEntry[]) => Promise<void>;
  /** Takes the lists of an earlier run as a start. */
  readonly restoreLists: () => Promise<void>;
  /** Keeps the lists for later runs. */
  readonly keepLists: () => Promise<void>;
  /** Has this run and later ones start from nothing. False when there was nothing of an earlier run. */
  readonly forgetLists: () => Promise<boolean>;
  readonly setPins: (pins: WantedVersions) => Promise<void>;
  /** Names apt itself and the signed indexes that it has: with the same name it has the same packages to choose from. */
  readonly knowledge: () => Promise<string>;
  /** A text that was kept for these sources by `keepText`; undefined when there is none. */
  readonly keptText: (name: string) => Promise<string | undefined>;
  readonly keepText: (name: string, text: string) => Promise<void>;
  /** Undefined when there is no such file. */
  readonly read: (file: string) => Promise<Uint8Array | undefined>;
  readonly stream: (file: string) => AsyncIterable<Uint8Array>;
}

const TOOL_TIMEOUT_MS = 15 * 60_000;
const DEFAULT_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The keyring that a mirror's indexes must be signed with when nothing on this machine says otherwise. */
export const DEBIAN_KEYRING: string = DEFAULT_KEYRING;

/** Throws E_RESOLVER_MISSING when this machine has no apt. */
export async function readMachineApt(settings: ResolverSettings): Promise<MachineApt> {
  const environment = { ...settings.environment, LC_ALL: 'C' };
  const common = { environment, folder: '/', signal: settings.signal, timeoutMs: TOOL_TIMEOUT_MS };
  const [version, paths, dump] = await Promise.all([
    runTool({ ...common, program: 'apt-get', arguments: ['--version'] }),
    runTool({ ...common, program: 'apt-config', arguments: APT_PATHS_QUERY }),
    runTool({ ...common, program: 'apt-config', arguments: ['dump'] }),
  ]);
  if (version === undefined || paths === undefined || dump === undefined) {
    throw new RootcellarError('E_RESOLVER_MISSING', 'apt: no such program on this machine', {
      hint: 'run `rootcellar lock` where apt is installed, such as in a `debian` container; `build` does not need it',
    });
  }
  const aptPaths = parseAptPaths(paths.stdout);
  const osRelease = (await readIfThere('/etc/os-release')) ?? '';
  return {
    version: /^apt (\S+)/.exec(version.stdout)?.[1] ?? 'unknown',
    paths: aptPaths,
    transport: transportSettings(dump.stdout),
    entries: await readEntries(aptPaths),
    auth: await readAuth(aptPaths),
    codename: /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(osRelease)?.[1],
  };
}

async function readEntries(paths: AptPaths): Promise<readonly SourceEntry[]> {
  const names = (await readdirIfThere(paths.sourceParts)).filter((name) => /^[\w.-]+\.(?:list|sources)$/.test(name));
  const files = [paths.sourceList, ...names.map((name) => join(paths.sourceParts, name))];
  const texts = await Promise.all(files.map(readIfThere));
  return files.flatMap((file, index) => {
    const text = texts[index] ?? '';
    return file.endsWith('.sources') ? parseSourcesFile(text) : parseListFile(text);
  });
}

async function readAuth(paths: AptPaths): Promise<string> {
  const names = (await readdirIfThere(paths.netrcParts)).filter((name) => /^[\w.-]+\.conf$/.test(name));
  const files = [paths.netrc, ...names.map((name) => join(paths.netrcParts, name))];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(undefinedWhenHidden)));
  return texts.map((text) => text ?? '').join('\n');
}

function undefinedWhenHidden(error: unknown): undefined {
  if (!isErrno(error, 'EACCES')) undefinedWhenMissing(error);
  return undefined;
}

export interface AptRootOptions {
  readonly machine: MachineApt;
  readonly architecture: string;
  readonly settings: ResolverSettings;
}

/** Runs `body` with a private apt root, which is removed afterwards. Needs no privilege. */
export async function withAptRoot<T>(options: AptRootOptions, body: (root: AptRoot) => Promise<T>): Promise<T> {
  return await withTemporaryFolder(options.settings.temporaryFolder, async (folder) => {
    await Promise.all(FOLDERS.map((name) => mkdir(join(folder, name), { recursive: true })));
    await writeFile(join(folder, 'var/lib/dpkg/status'), '');
    await writeFile(join(folder, 'apt.conf'), privateAptConfig({ folder, ...options, ...options.machine }));
    return await body(aptRoot(folder, options));
  });
}

const FOLDERS = [
  'etc/apt/apt.conf.d',
  'etc/apt/preferences.d',
  'etc/apt/sources.list.d',
  'tmp',
  'var/lib/dpkg',
  'var/lib/apt/lists/partial',
  'var/cache/apt/archives/partial',
];

function aptRoot(folder: string, { settings, architecture, machine }: AptRootOptions): AptRoot {
  const environment = aptEnvironment(settings.environment, folder);
  const lists = join(folder, 'var/lib/apt/lists');
  let cache = '';
  return {
    folder,
    architecture,
    run: async (program, parameters) => {
      const common = { environment, folder, signal: settings.signal, timeoutMs: TOOL_TIMEOUT_MS };
      const result = await runTool({ ...common, program, arguments: parameters });
      if (result === undefined) throw new RootcellarError('E_RESOLVER_MISSING', `${program}: no such program`);
      return result;
    },
    setSources: async (entries) => {
      const text = formatSources(entries, architecture);
      cache = join(settings.cacheFolder, 'apt', shortDigest(digestOf(text)));
      await writeFile(join(folder, 'etc/apt/sources.list.d/rootcellar.sources'), text);
    },
    restoreLists: () => restoreLists(cache, lists),
    keepLists: () => keepLists(cache, lists, settings),
    forgetLists: () => forgetLists(cache, lists),
    setPins: (pins) => writeFile(join(folder, 'etc/apt/preferences.d/rootcellar.pref'), pinPreferences(pins)),
    knowledge: async () => `apt ${machine.version} ${await releasesIn(lists)}`,
    keptText: (name) => readIfThere(join(cache, name)),
    keepText: (name, text) => keepText(cache, name, text),
    read: (file) => readFile(file).catch(undefinedWhenMissing),
    stream: (file) => createReadStream(file, { highWaterMark: 1024 ** 2 }),
  };
}

/** Digests of the signed files, each of which names its indexes by digest. */
async function releasesIn(lists: string): Promise<string> {
  const names = (await readdir(lists)).filter((name) => /Release(?:\.gpg)?$/.test(name)).toSorted(byteOrder);
  const digests = await Promise.all(names.map(async (name) => digestOf(await readFile(join(lists, name)))));
  return names.map((name, index) => `${name} ${digests[index]}`).join(' ');
}

/** `CACHE/current` is a link to a folder that is never written to again, so no lock is needed. */
async function restoreLists(cache: string, lists: string): Promise<void> {
  const kept = join(cache, 'current');
  try {
    await copyFiles(kept, lists);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    // Nothing kept yet, or another process has just replaced it: apt starts from nothing.
    await rm(lists, { recursive: true, force: true });
    await mkdir(join(lists, 'partial'), { recursive: true });
  }
}

/**
 * What is not current afterwards is of an earlier run, or of one that was killed between two renames. Should another
 * process need it at this moment, it or its next run starts from nothing.
 */
async function keepLists(cache: string, lists: string, settings: ResolverSettings): Promise<void> {
  await mkdir(cache, { recursive: true });
  const copy = halfMadeFile(join(cache, 'lists'));
  await mkdir(copy);
  await copyFiles(lists, copy);
  await syncFileSystem(copy, settings);
  const name = `lists-${randomUUID()}`;
  await rename(copy, join(cache, name));
  const link = halfMadeFile(join(cache, 'current'));
  await symlink(name, link);
  await rename(link, join(cache, 'current'));
  const others = (await readdir(cache)).filter((other) => other.startsWith('lists-') && other !== name);
  await Promise.all(others.map((other) => rm(join(cache, other), { recursive: true, force: true })));
}

async function forgetLists(cache: string, lists: string): Promise<boolean> {
  try {
    await rm(join(cache, 'current'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
  await rm(lists, { recursive: true, force: true });
  await mkdir(join(lists, 'partial'), { recursive: true });
  return true;
}

/** Whoever reads meanwhile gets the old text or the new one. */
async function keepText(cache: string, name: string, text: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const half = halfMadeFile(join(cache, name));
  await writeFile(half, text);
  await rename(half, join(cache, name));
}

async function copyFiles(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && entry.name !== 'lock').map((entry) => entry.name);
  await Promise.all(names.map((name) => copyWithTime(join(from, name), join(to, name))));
}

/** The time matters: apt asks the archive for what is newer than that. */
async function copyWithTime(from: string, to: string): Promise<void> {
  const { atime, mtime } = await stat(from);
  await copyFile(from, to);
  await utimes(to, atime, mtime);
}

async function readIfThere(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch(undefinedWhenMissing);
}

async function readdirIfThere(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(undefinedWhenMissing)) ?? [];
}

function undefinedWhenMissing(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT')) throw error;
  return undefined;
}
