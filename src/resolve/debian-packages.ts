import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { digestFromHex } from '../base/digest.ts';
import { parseStanza, type Stanza } from './deb822.ts';
import type { DebArtifact } from './resolution.ts';

/** A package that was chosen, with its stanza of the Packages file. */
export interface ChosenPackage {
  readonly suite: string;
  readonly stanza: Stanza;
}

/** The `Filename` field of a stanza's text, or undefined. Cheap: most stanzas are not wanted. */
export function fileNameOf(stanzaText: string): string | undefined {
  return /^Filename:[ \t]*(\S+)[ \t]*$/m.exec(stanzaText)?.[1];
}

/** Whether `path` is a plain relative path: no empty, `.` or `..` component, no blank. */
export function isPoolPath(path: string): boolean {
  return /^[^\s\\]+$/.test(path) && !path.split('/').some((name) => name === '' || name === '.' || name === '..');
}

export function readPackage(stanzaText: string, suite: string): ChosenPackage {
  return { suite, stanza: parseStanza(stanzaText) };
}

/**
 * The artifact of a stanza; `closure` gives the packages it may depend on.
 * Undefined when a field is missing or malformed.
 */
export function debArtifact(
  chosen: ChosenPackage,
  closure: ReadonlyMap<string, readonly string[]>,
): DebArtifact | undefined {
  const { stanza, suite } = chosen;
  const name = stanza.get('package');
  const version = stanza.get('version');
  const architecture = debArchitecture(stanza.get('architecture') ?? '');
  const path = stanza.get('filename');
  const size = Number(stanza.get('size') ?? 'none');
  const digest = digestFromHex(stanza.get('sha256') ?? '');
  if (name === undefined || version === undefined || architecture === undefined || path === undefined) return undefined;
  if (digest === undefined || !Number.isSafeInteger(size) || !isPoolPath(path)) return undefined;
  return { kind: 'deb', name, version, architecture, suite, path, size, digest, depends: dependsOf(chosen, closure) };
}

function debArchitecture(name: string): Architecture | 'all' | undefined {
  return name === 'all' ? 'all' : parseArchitecture(name);
}

/** Every name that a closure's packages answer to, real or provided, with the packages that do. */
export function namesOfClosure(closure: readonly ChosenPackage[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  for (const { stanza } of closure) {
    const name = stanza.get('package') ?? '';
    names.set(name, [name]);
  }
  for (const { stanza } of closure) {
    const name = stanza.get('package') ?? '';
    for (const provided of relationNames(stanza.get('provides') ?? '').flat()) {
      const known = names.get(provided) ?? [];
      if (!known.includes(provided) && !known.includes(name)) names.set(provided, [...known, name]);
    }
  }
  return names;
}

/** Of each group of alternatives, the first that is in the closure. */
function dependsOf({ stanza }: ChosenPackage, closure: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const groups = ['pre-depends', 'depends'].flatMap((field) => relationNames(stanza.get(field) ?? ''));
  const found = groups.flatMap((alternatives) => {
    const name = alternatives.find((alternative) => closure.has(alternative));
    return name === undefined ? [] : (closure.get(name) ?? []);
  });
  return [...new Set(found)].filter((name) => name !== stanza.get('package')).toSorted(byteOrder);
}

/** Names of a relationship field, one list of alternatives per group. Source: Debian Policy §7.1. */
function relationNames(field: string): readonly (readonly string[])[] {
  return field
    .split(',')
    .map((group) => group.split('|').flatMap((relation) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(relation)?.[1] ?? []))
    .filter((group) => group.length > 0);
}
