import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { identityOf } from './address-text.ts';
import { HOST_PATTERN, readFindLinks } from './python-schema.ts';
import type { PythonDocument } from './python-schema.ts';
import type { PythonRequirements } from './recipe.ts';
import type { PlacedSetting } from './requirement-files.ts';

type Settings = Pick<PythonRequirements, 'indexUrl' | 'extraIndexUrls' | 'findLinks' | 'trustedHosts' | 'noIndex'>;

export interface MergedSettings {
  readonly settings: Settings;
  readonly problems: readonly Problem[];
}

/** Options of requirements files and keys of the recipe, as one. */
export function mergeSettings(placed: readonly PlacedSetting[], document: PythonDocument): MergedSettings {
  const index = mergeIndex(placed, document);
  const findLinks = valuesOf(placed, 'find-links').map(({ value, place }) => checkLinks(value, place));
  const hosts = valuesOf(placed, 'trusted-host').map(({ value, place }) => checkHost(value, place));
  const extra = valuesOf(placed, 'extra-index-url').map(({ value }) => value);
  const extraIndexUrls = uniqueOf([...document.extraIndexUrls, ...extra]);
  const noIndex = placed.find(({ name }) => name === 'no-index');
  const isContradicted = noIndex !== undefined && (index.indexUrl ?? extraIndexUrls[0]) !== undefined;
  const clash = { message: '`--no-index` contradicts an index that is named', hint: REMOVE };
  return {
    settings: {
      indexUrl: index.indexUrl,
      ...listed('extraIndexUrls', extraIndexUrls),
      ...listed('findLinks', uniqueOf([...document.findLinks, ...findLinks.flatMap(textsOf)])),
      ...listed('trustedHosts', uniqueOf([...document.trustedHosts, ...hosts.flatMap(textsOf)])),
      ...(noIndex === undefined ? {} : { noIndex: true }),
    },
    problems: [
      ...index.problems,
      ...(isContradicted ? [refused(clash, noIndex.place)] : []),
      ...[...findLinks, ...hosts].flatMap((one) => (typeof one === 'string' ? [] : [one])),
    ],
  };
}

const REMOVE = 'remove one of the two';

/** A line that cannot be taken, though it can be read. */
export function refused(
  { message, hint }: { readonly message: string; readonly hint: string },
  place: SourcePlace,
): Problem {
  return { code: 'E_REQUIREMENT_SYNTAX', message, hint, place };
}

function mergeIndex(
  placed: readonly PlacedSetting[],
  document: PythonDocument,
): { readonly indexUrl: string | undefined; readonly problems: readonly Problem[] } {
  const named = valuesOf(placed, 'index-url');
  const indexUrl = document.indexUrl ?? named[0]?.value;
  const other = document.indexUrl === undefined ? 'the one before' : '`python.index_url` of the recipe';
  const problems = named
    .filter(({ value }) => indexUrl !== undefined && identityOf(indexUrl) !== identityOf(value))
    .map(({ place }) => refused({ message: `\`--index-url\` is another index than ${other}`, hint: REMOVE }, place));
  return { indexUrl, problems };
}

function checkLinks(value: string, place: SourcePlace): string | Problem {
  const message = '`--find-links` names no folder below the recipe and no address';
  return readFindLinks(value) ?? refused({ message, hint: 'write for example `--find-links wheels`' }, place);
}

function checkHost(value: string, place: SourcePlace): string | Problem {
  if (HOST_PATTERN.test(value)) return value;
  const hint = 'write for example `--trusted-host packages.example`';
  return refused({ message: '`--trusted-host` names no host', hint }, place);
}

function valuesOf(
  placed: readonly PlacedSetting[],
  name: string,
): readonly { readonly value: string; readonly place: SourcePlace }[] {
  return placed.flatMap((one) => (one.kind === 'setting' && one.name === name ? [one] : []));
}

function textsOf(one: string | Problem): readonly string[] {
  return typeof one === 'string' ? [one] : [];
}

function uniqueOf(list: readonly string[]): readonly string[] {
  return [...new Set(list)];
}

function listed<K extends keyof Settings>(
  name: K,
  list: readonly string[],
): { readonly [key in K]?: readonly string[] } {
  const result: { [key in K]?: readonly string[] } = {};
  if (list.length > 0) result[name] = list;
  return result;
}
