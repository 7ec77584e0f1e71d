import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';

/** A checked recipe: every value is in range, every file it names has been read. */
export interface Recipe {
  readonly name: string;
  /** Absolute path of `recipe.yaml`. */
  readonly file: string;
  readonly architectures: readonly Architecture[];
  readonly base: DebianBase;
  readonly python: PythonRequirements | undefined;
  readonly files: readonly RecipeFile[];
  readonly sandbox: SandboxSettings;
  /** The recipe itself and every file that it names, in byte order of path. */
  readonly sources: readonly RecipeSource[];
}

export interface DebianBase {
  readonly kind: 'debian';
  /** Codename, such as `trixie`. */
  readonly suite: string;
  /** Archive address; undefined: this machine's apt sources. */
  readonly mirror: string | undefined;
  readonly components: readonly string[];
  readonly packages: readonly string[];
}

export interface PythonRequirements {
  /** Path of the requirements file, relative to the recipe's folder. */
  readonly file: string;
  /** One requirement a line, in PEP 508 form, without comments, in the order of the file. */
  readonly lines: readonly string[];
  /** Package index; undefined: what uv's or pip's own settings on this machine say. */
  readonly indexUrl: string | undefined;
}

/** A file that the recipe puts into the image itself. */
export interface RecipeFile {
  readonly path: ImagePath;
  readonly mode: number;
  readonly content: Uint8Array;
}

export interface RecipeSource {
  /** Relative to the recipe's folder, with `/`. */
  readonly path: string;
  readonly digest: Digest;
}

/** How code may run in the image. */
export interface SandboxSettings {
  readonly syscalls: SyscallSettings;
  readonly network: 'none';
  readonly limits: Limits;
  readonly minimumTier: Tier;
}

/** Names of system calls and `@groups`, on top of a named profile. */
export interface SyscallSettings {
  readonly profile: string;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** What the host lets a cell be: `A` is everything, `D` the least (see docs of `doctor`). */
export type Tier = 'A' | 'B' | 'C' | 'D';

export interface Limits {
  readonly memoryBytes: number;
  /** Processes and threads at one time. */
  readonly processes: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Of stdout and stderr, each. */
  readonly outputBytes: number;
  /** Size of the private /tmp. */
  readonly tmpBytes: number;
  readonly openFiles: number;
}

export const DEFAULT_LIMITS: Limits = {
  memoryBytes: 256 * 1024 ** 2,
  processes: 32,
  cpuMs: 5000,
  wallMs: 10_000,
  outputBytes: 1024 ** 2,
  tmpBytes: 64 * 1024 ** 2,
  openFiles: 256,
};

/** How code runs where no recipe says otherwise. */
export const DEFAULT_SANDBOX: SandboxSettings = {
  syscalls: { profile: 'python', allow: [], deny: [] },
  network: 'none',
  limits: DEFAULT_LIMITS,
  minimumTier: 'C',
};
