import { basename, dirname } from 'node:path';
import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';
import type { SourcePlace } from '../base/rootcellar-error.ts';
import type { NetworkSettings } from './network.ts';
import type { DirectRequirement } from './requirement.ts';

/** A checked recipe: every value is in range, every file it names has been read. */
export interface Recipe {
  readonly name: string;
  /** Absolute path of `recipe.yaml`. */
  readonly file: string;
  readonly architectures: readonly Architecture[];
  readonly base: DebianBase | HostBase;
  /** Left out where the recipe has none for any architecture. */
  readonly sharedObjects?: SharedObjects | undefined;
  /** Names of libraries that may be missing although something needs them, or patterns with `*` and `?`; in byte order. */
  readonly allowMissing?: readonly string[] | undefined;
  readonly python: PythonRequirements | undefined;
  readonly files: readonly RecipeFile[];
  /** Names of sets, globs, and globs after `!` for what stays, in byte order; left out: nothing is trimmed. */
  readonly trim?: readonly string[];
  readonly sandbox: SandboxSettings;
  /** Left out where the recipe says nothing of it. Decides nothing of what the image holds. */
  readonly refresh?: RefreshSettings | undefined;
  /** The recipe itself and every file that it names, in byte order of path. */
  readonly sources: readonly RecipeSource[];
}

/** What a user types for it: its folder, or the file where it is called otherwise than `recipe.yaml`. */
export function recipeWord({ file }: Pick<Recipe, 'file'>): string {
  return basename(file) === 'recipe.yaml' ? dirname(file) : file;
}

/** Libraries that the image shall have, by soname, in byte order. */
export type SharedObjects = Readonly<Partial<Record<Architecture, readonly string[]>>>;

export interface DebianBase {
  readonly kind: 'debian';
  /** Codename, such as `trixie`. */
  readonly suite: string;
  /** Archive address; undefined: this machine's apt sources. */
  readonly mirror: string | undefined;
  readonly components: readonly string[];
  readonly packages: readonly string[];
}

/** The system and the interpreter are those of this machine. */
export interface HostBase {
  readonly kind: 'host';
  /** Absolute; as the user calls it, links and all. */
  readonly pythonPath: PerArchitecture;
  readonly libraries: readonly HostLibrary[];
  /** Where the recipe names the interpreter. */
  readonly place: SourcePlace;
}

/** One value for each architecture that has one. */
export type PerArchitecture = Readonly<Partial<Record<Architecture, string>>>;

/** An element of `python_lib_path`. */
export interface HostLibrary {
  /** Files, folders and patterns, absolute; `auto`: what the interpreter says. */
  readonly path: 'auto' | PerArchitecture;
  /** Where the recipe names it. */
  readonly place: SourcePlace;
}

export interface PythonRequirements {
  /** Path of the requirements file, relative to the recipe's folder. */
  readonly file: string;
  /** Requirements by name, one each, in PEP 508 form, in the order of the file; included files stand where they are named. */
  readonly lines: readonly string[];
  /** Package index; undefined: what uv's or pip's own settings on this machine say. */
  readonly indexUrl: string | undefined;
  /** Requirements that say themselves which file or repository they mean. */
  readonly direct?: readonly DirectRequirement[] | undefined;
  /** Limits for packages that are needed anyway, in PEP 508 form. */
  readonly constraints?: readonly string[] | undefined;
  /** The digests that the files of a project may have, by normalised name; no member: any. */
  readonly hashes?: ReadonlyMap<string, readonly Digest[]> | undefined;
  /** Whether every package must be among `hashes`. */
  readonly requireHashes?: boolean | undefined;
  /** Asked before `indexUrl`, in their order; the first index that has a project is the only one for it. */
  readonly extraIndexUrls?: readonly string[] | undefined;
  /** Addresses of pages or folders with links to wheels, and paths of folders with wheels, relative to the recipe. */
  readonly findLinks?: readonly string[] | undefined;
  /** Hosts, with or without `:PORT`, whose certificate is not checked. */
  readonly trustedHosts?: readonly string[] | undefined;
  /** Whether only `findLinks` and `direct` may be used. */
  readonly noIndex?: boolean | undefined;
  readonly preReleases?: boolean | undefined;
  readonly cooldown?: Cooldown | undefined;
  /** Normalised names of packages that are always built from source, in byte order; undefined: none. */
  readonly buildFromSource?: readonly string[] | undefined;
  /** Debian packages that are there while wheels are built, and not in the image; undefined: none. */
  readonly buildPackages?: readonly string[] | undefined;
  /** Where each project is first named, by normalised name, for error texts. */
  readonly places?: ReadonlyMap<string, SourcePlace> | undefined;
}

/** How long a file must have been on its index before it is taken. */
export interface Cooldown {
  readonly ms: number;
  /** Normalised names of projects that it is not for, in byte order. */
  readonly except: readonly string[];
}

/** A file that the recipe puts into the image itself. */
export interface RecipeFile {
  readonly path: ImagePath;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** How the image follows what is newer. */
export interface RefreshSettings {
  /** When it is done without being asked; undefined: never. */
  readonly schedule: RefreshSchedule | undefined;
  /** Generations of each architecture that stay, the current one included. */
  readonly keep: number;
  /** A program that must end with 0 in a new image before it serves. */
  readonly smokeTest: SmokeTest | undefined;
}

export const DEFAULT_KEEP = 5;

/** `jitterMs`: each refresh begins later by a random time up to this. */
export type RefreshSchedule =
  | { readonly kind: 'every'; readonly everyMs: number; readonly jitterMs: number }
  /** Five fields, as in crontab(5), in the time zone of whoever keeps the schedule. */
  | { readonly kind: 'cron'; readonly expression: string; readonly jitterMs: number };

export interface SmokeTest {
  /** Relative to the recipe's folder. */
  readonly path: string;
  readonly code: string;
}

export interface RecipeSource {
  /** Relative to the recipe's folder, with `/`. */
  readonly path: string;
  readonly digest: Digest;
}

/** How code may run in the image. */
export interface SandboxSettings {
  readonly syscalls: SyscallSettings;
  readonly network: NetworkSettings;
  readonly limits: Limits;
  readonly minimumTier: Tier;
  /** That a cell has a /proc, of its own processes; left out where it has none. */
  readonly proc?: true | undefined;
  /** Modules of Python that are imported before a run begins, where it begins in a cell that waits; in the recipe's order. */
  readonly preimport?: readonly string[] | undefined;
}

/** Names of system calls and `@groups`, on top of a named profile. */
export interface SyscallSettings {
  readonly profile: string;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** What the host lets a cell be: `A` is everything, `D` the least (see docs of `doctor`). */
export type Tier = (typeof TIERS)[number];

/** From everything to the least. */
export const TIERS = ['A', 'B', 'C', 'D'] as const;

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
