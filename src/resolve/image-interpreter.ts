import { access, mkdir, readdir, rename, writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import { digestOf, shortDigest } from '../base/digest.ts';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { AptRoot } from './apt-root.ts';
import { choosePackages, type DebianRequest } from './debian-resolver.ts';
import { tailOf } from './redact.ts';
import type { Interpreter } from './resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { runTool, syncFileSystem } from './run-tool.ts';

/** The image's own interpreter and pip, unpacked into a folder; run in place, without privilege. */
export interface UnpackedInterpreter {
  /** An executable script that runs the interpreter. */
  readonly program: string;
  /** A wheel of pip, which can be run as it is. */
  readonly pip: string;
}

export interface InterpreterRequest {
  /** For this machine's architecture. */
  readonly root: AptRoot;
  /** Its `packages` are not looked at. */
  readonly debian: DebianRequest;
  readonly interpreter: Interpreter;
  readonly settings: ResolverSettings;
}

const SCRIPT = 'rootcellar-python';

/**
 * Gets the Debian packages of the image's interpreter and of pip, and unpacks them below the cache folder, once.
 * Nothing is installed, no maintainer script runs. Throws E_RESOLVER_MISSING where there is no pip.
 */
export async function unpackInterpreter(request: InterpreterRequest): Promise<UnpackedInterpreter> {
  const { root, settings, interpreter } = request;
  const command = interpreter.path.slice(interpreter.path.lastIndexOf('/') + 1);
  const packages = [command, 'python3-pip-whl'];
  const { debs } = await choosePackages(root, { ...request.debian, packages });
  const key = shortDigest(digestOf(debs.map(({ digest }) => digest).join('\n')));
  const folder = join(settings.cacheFolder, 'interpreter', key);
  if (!(await exists(folder))) await unpackInto(folder, packages, request);
  return await describe(folder);
}

async function unpackInto(folder: string, packages: readonly string[], request: InterpreterRequest): Promise<void> {
  const { root, settings } = request;
  const { exitCode, stdout, stderr } = await root.run('apt-get', [
    'install',
    '--download-only',
    '-q',
    '--',
    ...packages,
  ]);
  if (exitCode !== 0) throw new RootcellarError('E_DOWNLOAD', `apt-get: ${tailOf(`${stdout}\n${stderr}`, 4)}`);
  const archives = join(root.folder, 'var/cache/apt/archives');
  const debs = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
  await mkdir(join(folder, '..'), { recursive: true });
  const partial = halfMadeFile(folder);
  await mkdir(partial);
  try {
    await pMap(debs, (name) => unpackDeb(join(archives, name), partial, settings), { concurrency: 2 });
    await writeScript(partial, folder, request);
    await syncFileSystem(partial, settings);
    await rename(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    // Another process was first: its folder holds the same.
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'EEXIST')) throw error;
  }
}

async function unpackDeb(deb: string, folder: string, settings: ResolverSettings): Promise<boolean> {
  const result = await runTool({
    program: 'dpkg-deb',
    arguments: ['--extract', deb, folder],
    environment: settings.environment,
    folder,
    signal: settings.signal,
    timeoutMs: 120_000,
  });
  if (result?.exitCode === 0) return true;
  throw new RootcellarError('E_RESOLVER_FAILED', `dpkg-deb: ${tailOf(result?.stderr ?? 'no such program', 3)}`);
}

async function describe(folder: string): Promise<UnpackedInterpreter> {
  const wheels = join(folder, 'usr/share/python-wheels');
  const pip = (await readdir(wheels)).find((name) => /^pip-.*\.whl$/.test(name));
  if (pip === undefined) throw new RootcellarError('E_RESOLVER_MISSING', 'pip: package `python3-pip-whl` has none');
  return { program: join(folder, SCRIPT), pip: join(wheels, pip, 'pip') };
}

/** The loader is called by its own path, so that nothing of this machine's libraries is used. */
async function writeScript(
  unpacked: string,
  folder: string,
  { interpreter, settings }: InterpreterRequest,
): Promise<void> {
  const { loader, multiarch } = ARCHITECTURE_FACTS[settings.hostArchitecture];
  const isMerged = await exists(join(unpacked, 'usr', loader));
  const program = join(folder, isMerged ? 'usr' : '', loader);
  const libraries = [`usr/lib/${multiarch}`, `lib/${multiarch}`].map((name) => join(folder, name)).join(':');
  const words = [program, '--library-path', libraries, join(folder, interpreter.path)].map(quoted);
  await writeFile(join(unpacked, SCRIPT), `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 });
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (error: unknown) => {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    },
  );
}
