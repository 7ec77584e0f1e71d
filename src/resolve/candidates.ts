import { satisfies, valid, validRange } from '@renovatebot/pep440';
import type { Digest } from '../base/digest.ts';
import type { IndexFile } from './simple-page.ts';
import { sourceVersion } from './source-name.ts';
import { parseWheelName } from './wheel-name.ts';

/** What decides whether a file of an index may be taken. */
export interface CandidateRules {
  /** Position of each tag that fits the interpreter. */
  readonly ranks: ReadonlyMap<string, number>;
  readonly pythonVersion: string;
  /** Seconds since 1970; a file that its index got later is too young. */
  readonly cutOff: number | undefined;
  /** Which the files may have; undefined: any. */
  readonly hashes: readonly Digest[] | undefined;
  /** Versions that are asked for exactly: only those are taken though their index has withdrawn them. */
  readonly exactVersions: readonly string[];
  /** Whether sources are taken, and only those. */
  readonly isBuilt?: boolean | undefined;
}

export type RefusalReason = 'source' | 'platform' | 'python' | 'young' | 'undated' | 'yanked' | 'hash';

export interface Refusal {
  readonly file: IndexFile;
  readonly version: string;
  readonly reason: RefusalReason;
}

export interface Candidates {
  readonly usable: readonly IndexFile[];
  readonly refused: readonly Refusal[];
}

/** Parts the files of a project; those that are neither wheels nor sources of it are left out. */
export function judgeFiles(project: string, files: readonly IndexFile[], rules: CandidateRules): Candidates {
  const usable: IndexFile[] = [];
  const refused: Refusal[] = [];
  for (const file of files) {
    const version = versionOf(file.file, project);
    if (version === undefined || (rules.isBuilt === true && !/\.(?:tar\.gz|tgz|zip)$/.test(file.file))) continue;
    const reason = refusalOf(file, version, rules);
    if (reason === undefined) usable.push(file);
    else refused.push({ file, version, reason });
  }
  return { usable, refused };
}

/** Of a wheel or source of the project; undefined for other files. */
export function versionOf(file: string, project: string): string | undefined {
  const wheel = parseWheelName(file);
  if (wheel !== undefined) return wheel.name === project && valid(wheel.version) !== null ? wheel.version : undefined;
  const version = sourceVersion(file, project);
  return version === undefined || valid(version) === null ? undefined : version;
}

/** The first that holds; what no other version of this machine could change comes first. */
function refusalOf(file: IndexFile, version: string, rules: CandidateRules): RefusalReason | undefined {
  const wheel = parseWheelName(file.file);
  if (wheel === undefined && rules.isBuilt !== true) return 'source';
  if (wheel?.tags.some((tag) => rules.ranks.has(tag)) === false) return 'platform';
  if (!fitsPython(file.requiresPython, rules.pythonVersion)) return 'python';
  if (file.yanked && !rules.exactVersions.some((exact) => sameVersion(exact, version))) return 'yanked';
  if (rules.hashes !== undefined && file.digest !== undefined && !rules.hashes.includes(file.digest)) return 'hash';
  // What lies in a folder or page that the recipe names was put there on purpose.
  if (rules.cutOff === undefined || file.from !== undefined) return undefined;
  if (file.uploaded === undefined) return 'undated';
  return file.uploaded > rules.cutOff ? 'young' : undefined;
}

/** A limit that cannot be read limits nothing, as with pip. */
function fitsPython(limit: string | undefined, version: string): boolean {
  if (limit === undefined || limit.trim() === '' || !validRange(limit)) return true;
  return satisfies(version, limit, { prereleases: true });
}

function sameVersion(a: string, b: string): boolean {
  return (
    a === b ||
    (valid(a) !== null && satisfies(b, `==${a}`, { prereleases: true }) && b.includes('+') === a.includes('+'))
  );
}
