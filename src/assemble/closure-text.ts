import { posix } from 'node:path';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { matchesWildcard } from '../base/wildcard.ts';
import { byNameText, type LoadedByName } from './dlopen-sets.ts';
import type { ClosureReport, MissingLibrary } from './elf-closure.ts';
import type { FileEntry } from './tree.ts';

/** Debian packages that have a library, by the library's name; none of them: this machine has it, and the image is of its files. */
export type PackagesOf = ReadonlyMap<string, readonly string[]>;

/** E_LIBRARY_MISSING, one problem a library or version. `missing` must not be empty. */
export function closureError(missing: readonly MissingLibrary[], packages: PackagesOf): RootcellarError {
  return RootcellarError.ofProblems(missing.map((library) => problemOf(library, packages.get(library.library))));
}

/** What is missing after all that `allowed` (names, or patterns with `*` and `?`) lets be missing. */
export function refusedLibraries(
  missing: readonly MissingLibrary[],
  allowed: readonly string[],
): readonly MissingLibrary[] {
  return missing.filter(({ library, version }) => version !== undefined || !isAllowed(library, allowed));
}

/** One line for a person each: what was let be missing, what is loaded by other ways only, and what nothing can load. */
export function closureWarnings(
  report: ClosureReport,
  allowed: readonly string[],
  byName: readonly LoadedByName[] = [],
): readonly string[] {
  const gone = report.missing.filter(({ library, version }) => version === undefined && isAllowed(library, allowed));
  const used = [...gone, ...byName];
  const unused = allowed.filter((pattern) => !used.some(({ library }) => matchesWildcard(pattern, library)));
  return [
    ...gone.map((library) => `\`${library.library}\`: allowed to be missing; needed by ${listed(library.neededBy)}`),
    ...unused.toSorted(byteOrder).map((pattern) => `allow_missing: \`${pattern}\` lets nothing be missing`),
    ...report.preloaded.map(({ library, at, neededBy }) => {
      return `\`${library}\`: needed by ${listed(neededBy)}, whose loader finds it only after \`/${at}\` has been loaded by name`;
    }),
    ...byName.filter(({ library }) => !isAllowed(library, allowed)).map(byNameText),
    ...otherSystemWarnings(report),
    ...damageWarnings(report.damaged),
  ];
}

function isAllowed(library: string, allowed: readonly string[]): boolean {
  return allowed.some((pattern) => matchesWildcard(pattern, library));
}

function otherSystemWarnings({ otherSystem }: ClosureReport): readonly string[] {
  if (otherSystem.length === 0) return [];
  return [`made for another C library than the image's, so nothing can load it: ${listed(otherSystem)}`];
}

function damageWarnings(damaged: readonly FileEntry[]): readonly string[] {
  if (damaged.length === 0) return [];
  const reasons = [...new Set(damaged.map(({ elfFault }) => elfFault ?? ''))].toSorted(byteOrder);
  const paths = damaged.map(({ path }) => path).toSorted(byteOrder);
  return [`damaged, so nothing can load it: ${listed(paths)} (${reasons.slice(0, MOST_NAMED).join('; ')})`];
}

function problemOf(missing: MissingLibrary, packages: readonly string[] | undefined): Problem {
  const { library, version, unfit, blockedBy } = missing;
  const passedOver = unfit.length === 0 ? '' : `; \`/${unfit.join('`, `/')}\` is not for this machine`;
  const blocked =
    blockedBy.length === 0
      ? ''
      : `; the loader gives up at \`/${blockedBy.join('`, `/')}\`, which is no library for it`;
  const fault =
    version === undefined ? `${needText(missing)}, but ${placeFault(missing)}` : versionFault(missing, version);
  return {
    code: 'E_LIBRARY_MISSING',
    message: `\`${library}\`: ${fault}${passedOver}${blocked}`,
    hint: version === undefined ? hintOf(library, packages) : versionHint(library, packages ?? []),
  };
}

const MOST_NAMED = 3;

function listed(paths: readonly string[]): string {
  const named = paths.slice(0, MOST_NAMED).map((path) => `\`/${path}\``);
  const others = paths.length - named.length;
  return others === 0 ? named.join(', ') : `${named.join(', ')} and ${others} more`;
}

function needText({ neededBy }: MissingLibrary): string {
  return neededBy.length === 0 ? 'is wanted by `shared_objects`' : `is needed by ${listed(neededBy)}`;
}

function placeFault({ searched }: MissingLibrary): string {
  if (searched.length === 0) return 'there is no such file in the image';
  const folders = [...new Set(searched.map((folder) => posix.normalize(folder)))];
  return `is not in ld.so.cache, ${folders.map((folder) => `\`${folder}\``).join(', ')}`;
}

function versionFault({ at, has, neededBy }: MissingLibrary, version: string): string {
  const newest = has.at(-1);
  const upTo = newest === undefined ? '' : `; \`/${at}\` has up to \`${newest}\``;
  return `has no version \`${version}\`, which is needed by ${listed(neededBy)}${upTo}`;
}

function hintOf(library: string, packages: readonly string[] | undefined): string {
  if (packages === undefined) return `apt-file search ${shellWord(library.startsWith('/') ? library : `/${library}`)}`;
  const names = packages.join(' or ');
  const from = packages.length === 0 ? 'this machine has it' : `Debian package ${names}`;
  if (library.includes('/')) return `add ${names} to base.debian.packages`;
  return `add ${library} to shared_objects (${from}), or run \`rootcellar build RECIPE --add-missing\``;
}

function versionHint(library: string, packages: readonly string[]): string {
  const names = packages.length === 0 ? library : packages.join(' or ');
  return `take packages that run on the ${names} of the suite, or a newer suite`;
}
