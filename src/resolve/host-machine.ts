import type { Architecture } from '../base/architecture.ts';
import type { HostBase } from '../recipe/recipe.ts';
import type { HostContent, Interpreter } from './resolution.ts';

/** What an interpreter of this machine says of itself, checked. */
export interface HostPython {
  readonly interpreter: Interpreter;
  /** The program to run on this machine, absolute. */
  readonly program: string;
  /** What `pip` can be run from: a folder or a wheel; undefined where this machine has none for it. */
  readonly pip: string | undefined;
  /** Folders that it imports from, absolute: `auto`. */
  readonly folders: readonly string[];
  /** Files that it needs besides: `auto`. */
  readonly files: readonly string[];
}

export interface HostRequest {
  readonly base: HostBase;
  readonly architecture: Architecture;
  readonly signal: AbortSignal | undefined;
}

export interface HostFilesRequest extends HostRequest {
  readonly python: HostPython;
  /** Normalised names of distributions that come as wheels: this machine's own copies of them stay behind. */
  readonly wheels: readonly string[];
  /** Libraries that are wanted by name, with all that they need. */
  readonly sonames?: readonly string[] | undefined;
  /** One line for a person each: what was left out. */
  readonly warn: (message: string) => void;
}

/**
 * The machine that `base.host` speaks of. A port: `assemble/host-machine.ts` looks at the real one.
 * Throws E_HOST_PYTHON, E_HOST_FILE, and E_LIBRARY_MISSING for `sonames`.
 */
export interface HostMachine {
  inspect(request: HostRequest): Promise<HostPython>;
  collect(request: HostFilesRequest): Promise<HostContent>;
}
