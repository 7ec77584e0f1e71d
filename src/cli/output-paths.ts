import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Architecture } from '../base/architecture.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { checkOutput, outputError } from '../pack/rootfs-writer.ts';
import { makeFolders } from '../store/replace-file.ts';

/** Where each architecture's tar goes, absolute; empty when none is wanted. */
export type OutputPaths = ReadonlyMap<Architecture, string>;

export interface OutputRequest {
  /** What the flag was given. */
  readonly output: string | undefined;
  /** `-o` when undefined. */
  readonly flag?: string | undefined;
  /** Of the image. */
  readonly name: string;
  readonly architectures: readonly Architecture[];
}

/** Stands for the architecture's name in what `-o` is given. */
const PLACEHOLDER = '{arch}';

/**
 * `-o FILE` is for one architecture. For several, FILE has `{arch}` in it, or is a folder: one that exists, or a path that
 * ends in a slash, which is made. Tars in a folder are called `NAME-ARCH.tar`. Throws E_USAGE, also where nothing can be written.
 */
export async function outputPaths({ output, name, architectures, flag = '-o' }: OutputRequest): Promise<OutputPaths> {
  if (output === undefined) return new Map();
  const isNewFolder = output.endsWith('/');
  if (!output.includes(PLACEHOLDER) && !isNewFolder && !(await isFolder(output)) && architectures.length > 1) {
    const named = output.replace(/(\.tar)?$/, `-${PLACEHOLDER}$1`);
    const message = `${flag}: \`${output}\` is one file, which cannot hold the tars of ${architectures.join(' and ')}`;
    throw new RootcellarError('E_USAGE', message, { hint: `${flag} '${named}', ${flag} ${output}/, or one --arch` });
  }
  const paths = new Map<Architecture, string>();
  for (const architecture of architectures) {
    const path = resolve(output.replaceAll(PLACEHOLDER, architecture));
    if (isNewFolder) await makeFolder(path, flag);
    const isInside = isNewFolder || (await isFolder(path));
    paths.set(architecture, isInside ? join(path, `${name}-${architecture}.tar`) : path);
  }
  for (const path of paths.values()) await checkOutput(path);
  return paths;
}

/** Throws E_USAGE where a container's tar would take the place of its image's. */
export async function refuseSameFile(outputs: OutputPaths, containers: OutputPaths): Promise<void> {
  const taken = new Set(await Promise.all([...outputs.values()].map(realPlace)));
  for (const path of containers.values()) {
    if (!taken.has(await realPlace(path))) continue;
    throw new RootcellarError('E_USAGE', `-o and --container: both are \`${path}\``, {
      hint: 'give each a path of its own',
    });
  }
}

/** The same for all ways to write it. The folder is there. */
async function realPlace(path: string): Promise<string> {
  return join(await realpath(dirname(path)), basename(path));
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw outputError(path, error);
  }
}

async function makeFolder(path: string, flag: string): Promise<void> {
  try {
    await makeFolders(path);
  } catch (cause) {
    const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOENT', 'ENAMETOOLONG', 'ELOOP'];
    if (!denied.some((code) => isErrno(cause, code))) throw cause;
    throw new RootcellarError('E_USAGE', `${flag}: the folder \`${path}\` cannot be made`, {
      hint: `give ${flag} a path where you may write`,
      cause,
    });
  }
}
