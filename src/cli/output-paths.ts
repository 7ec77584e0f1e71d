import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Architecture } from '../base/architecture.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';

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
 * ends in a slash, which is made. Tars in a folder are called `NAME-ARCH.tar`. Throws E_USAGE.
 */
export async function outputPaths({ output, name, architectures, flag = '-o' }: OutputRequest): Promise<OutputPaths> {
  if (output === undefined) return new Map();
  const isNewFolder = output.endsWith('/');
  if (!output.includes(PLACEHOLDER) && !isNewFolder && !isFolder(output) && architectures.length > 1) {
    const named = output.replace(/(\.tar)?$/, `-${PLACEHOLDER}$1`);
    const message = `${flag}: \`${output}\` is one file, which cannot hold the tars of ${architectures.join(' and ')}`;
    throw new RootcellarError('E_USAGE', message, { hint: `${flag} '${named}', ${flag} ${output}/, or one --arch` });
  }
  const paths = architectures.map((architecture) => {
    const path = resolve(output.replaceAll(PLACEHOLDER, architecture));
    return { architecture, path, isInside: isNewFolder || isFolder(path) };
  });
  if (isNewFolder) for (const { path } of paths) await makeFolder(path, flag);
  return new Map(
    paths.map(({ architecture, path, isInside }) => [
      architecture,
      isInside ? join(path, `${name}-${architecture}.tar`) : path,
    ]),
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

async function makeFolder(path: string, flag: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG'];
    if (!denied.some((code) => isErrno(cause, code))) throw cause;
    throw new RootcellarError('E_USAGE', `${flag}: the folder \`${path}\` cannot be made`, {
      hint: `give ${flag} a path where you may write`,
      cause,
    });
  }
}
