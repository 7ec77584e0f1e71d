import type { Tier } from '../recipe/recipe.ts';
import type { Variables } from './cell-environment.ts';
import { programPath } from './launch-plan.ts';

/** Where a program finds what it needs, as it sees it. */
export interface CellPaths {
  /** Before every absolute path of the image; empty where its root is the cell's. */
  readonly root: string;
  /** What is its own to write to: working directory, HOME, and where temporary files go. */
  readonly tmp: string;
  /** The folder of the program. */
  readonly program: string;
}

/** Where the root is the cell's own. */
const OWN_ROOT: CellPaths = { root: '', tmp: '/tmp', program: programPath('') };

/** Paths of a cell whose run has the folder `place` (tier D), or whose root is its own. */
export function cellPaths(tier: Tier, root: string, place: string | undefined): CellPaths {
  if (tier !== 'D' || place === undefined) return OWN_ROOT;
  return { root, tmp: `${place}/tmp`, program: `${place}/program/` };
}

/** Those of a cell's variables that say where something is. */
export function pathVariables({ root, tmp }: CellPaths): Variables {
  const path = ['/usr/local/bin', '/usr/bin', '/bin'].map((folder) => `${root}${folder}`).join(':');
  return root === '' ? { HOME: tmp, PATH: path } : { HOME: tmp, TMPDIR: tmp, PATH: path };
}

/** How an image's interpreter is started from outside of its root. */
export interface LoaderStart {
  /** The image's folder, absolute. */
  readonly root: string;
  /** Absolute in the image: the dynamic loader and the interpreter without links, the interpreter as it is called. */
  readonly loader: string;
  readonly interpreter: string;
  readonly name: string;
  /** Folders of libraries, absolute in the image, in the loader's order. */
  readonly libraries: readonly string[];
}

/**
 * The interpreter, started by the image's own loader with the image's own libraries: nothing of the host is loaded. An
 * ELF file names its loader by a path that is of the host, where there is no other root. Source: ld.so(8).
 */
export function loaderWords({ root, loader, interpreter, name, libraries }: LoaderStart): readonly string[] {
  const path = libraries.map((folder) => `${root}${folder}`).join(':');
  return [
    `${root}${loader}`,
    '--inhibit-cache',
    '--library-path',
    path,
    '--argv0',
    `${root}${name}`,
    `${root}${interpreter}`,
  ];
}
