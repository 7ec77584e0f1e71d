import type { Digest } from '../base/digest.ts';
import type { SourcePlace } from '../base/rootcellar-error.ts';

/** What one line of a requirements file asks for. */
export type Requirement = NamedRequirement | DirectRequirement;

/** A requirement that says itself which file or repository it means. */
export type DirectRequirement = UrlRequirement | PathRequirement | GitRequirement;

interface RequirementParts {
  /** In byte order, normalised as PEP 503 says. */
  readonly extras: readonly string[];
  /** In normal form. */
  readonly marker: string | undefined;
}

/** `numpy[a]>=2; python_version < "3.14"`. */
export interface NamedRequirement extends RequirementParts {
  readonly kind: 'named';
  /** Normalised as PEP 503 says. */
  readonly name: string;
  /** In byte order. */
  readonly specifiers: readonly string[];
}

interface FileParts extends RequirementParts {
  /** Normalised; undefined where neither the line nor the file's name says it. */
  readonly name: string | undefined;
  /** As the file's name says it; undefined for a source. */
  readonly version: string | undefined;
  /** The last part of its path; that of a wheel says name, version and tags. */
  readonly file: string;
  readonly form: 'wheel' | 'source' | 'folder';
  /** Which the bytes must have; undefined: the line does not say. */
  readonly digest: Digest | undefined;
  /** Folder of the project in a source. */
  readonly subdirectory: string | undefined;
}

/** `name @ https://host/name-1.0-py3-none-any.whl#sha256=…`. */
export interface UrlRequirement extends FileParts {
  readonly kind: 'url';
  /** As written, without its fragment: may hold credentials and `${VARIABLES}`. */
  readonly address: string;
}

/** `./wheels/name-1.0-py3-none-any.whl`. */
export interface PathRequirement extends FileParts {
  readonly kind: 'path';
  /** Relative to the recipe's folder, with `/`; empty for that folder itself. */
  readonly path: string;
}

/** `name @ git+https://host/name.git@REVISION#subdirectory=python`. */
export interface GitRequirement extends RequirementParts {
  readonly kind: 'git';
  readonly name: string | undefined;
  /** Address without `git+` and fragment, as written: may hold credentials and `${VARIABLES}`. */
  readonly repository: string;
  /** Branch, tag or commit; undefined: the repository's default. */
  readonly revision: string | undefined;
  readonly subdirectory: string | undefined;
}

/** A requirement where it stands. */
export interface PlacedRequirement {
  readonly requirement: Requirement;
  /** Of `--hash`; empty: it has none. */
  readonly hashes: readonly Digest[];
  readonly isEditable: boolean;
  readonly place: SourcePlace;
}

/** Normal form of a named requirement: PEP 508, such as `numpy[a,b]<3,>=2; python_version < "3.14"`. */
export function formatNamed({ name, extras, specifiers, marker }: NamedRequirement): string {
  return `${name}${extrasText(extras)}${specifiers.join(',')}${marker === undefined ? '' : `; ${marker}`}`;
}

/** For messages and for lists: shows no host, no credentials. */
export function describeDirect(direct: DirectRequirement): string {
  const what = direct.kind === 'git' ? lastPart(direct.repository) : direct.kind === 'url' ? direct.file : direct.path;
  return direct.name === undefined ? what : `${direct.name}${extrasText(direct.extras)} @ ${what}`;
}

export function extrasText(extras: readonly string[]): string {
  return extras.length === 0 ? '' : `[${extras.join(',')}]`;
}

function lastPart(address: string): string {
  return `git+…/${
    address
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1) ?? ''
  }`;
}
