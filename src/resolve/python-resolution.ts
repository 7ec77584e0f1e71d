import type { Digest } from '../base/digest.ts';
import type { Environment } from './resolver-settings.ts';
import type { PythonTarget } from './python-tags.ts';

/** What a Python resolver is asked. */
export interface PythonRequest {
  /** Requirements in PEP 508 form. */
  readonly lines: readonly string[];
  /** Limits in PEP 508 form, for packages that are needed anyway. */
  readonly constraints?: readonly string[] | undefined;
  readonly preReleases?: boolean | undefined;
  readonly target: PythonTarget;
  /** Versions to take where they satisfy everything, by normalised name. */
  readonly preferences: ReadonlyMap<string, string>;
  /** Index settings in the tool's own variables; undefined: the tool finds them itself. */
  readonly indexVariables: Environment;
}

/** One wheel that a resolver chose. */
export interface PickedWheel {
  /** Normalised. */
  readonly name: string;
  readonly version: string;
  readonly file: string;
  /** As the tool found it; undefined: it did not look. */
  readonly digest: Digest | undefined;
}

export interface PythonAnswer {
  readonly kind: 'answer';
  readonly tool: 'uv' | 'pip';
  readonly version: string;
  readonly wheels: readonly PickedWheel[];
}

/** The user's variables of a tool, without those that would change what is resolved. */
export function keptVariables(environment: Environment, prefix: string, kept: RegExp): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith(prefix) || kept.test(name.slice(prefix.length))),
  );
}
