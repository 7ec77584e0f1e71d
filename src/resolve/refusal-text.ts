import { compare } from '@renovatebot/pep440';
import { byteOrder } from '../base/byte-order.ts';
import type { ErrorCode } from '../base/rootcellar-error.ts';
import { timeText } from '../base/time-text.ts';
import type { Refusal, RefusalReason } from './candidates.ts';
import type { PythonTarget } from './python-tags.ts';

export interface RefusalContext {
  readonly target: PythonTarget;
  /** Seconds since 1970. */
  readonly cutOff: number | undefined;
}

/** Of all files of a version, the one that came nearest to being taken tells why it was not. */
const NEAREST: readonly RefusalReason[] = ['young', 'undated', 'yanked', 'hash', 'python', 'platform', 'source'];
const MOST_VERSIONS = 3;

/** Why versions of a project were not taken: the newest ones, each with its reason. `refused` must not be empty. */
export function refusalText(
  project: string,
  refused: readonly Refusal[],
  context: RefusalContext,
): { readonly text: string; readonly code: ErrorCode; readonly hint: string } {
  const versions = [...new Set(refused.map(({ version }) => version))].toSorted((a, b) => compare(b, a));
  const reasons = versions.map((version) => nearest(refused.filter((one) => one.version === version)));
  // The reason that waiting, a word in the recipe or another Python would lift counts more than age-old versions.
  const told = reasons.slice(0, MOST_VERSIONS).map((one) => oneText(one, refused, context));
  const more = versions.length > MOST_VERSIONS ? `; and ${versions.length - MOST_VERSIONS} older ones` : '';
  const decisive = NEAREST.flatMap((reason) => reasons.find((one) => one.reason === reason) ?? [])[0] ?? reasons[0];
  if (decisive === undefined) throw new Error('unreachable: no version was refused');
  return { text: `${told.join('; ')}${more}`, code: codeOf(decisive.reason), hint: hintOf(project, decisive) };
}

function nearest(refused: readonly Refusal[]): Refusal {
  const [best] = refused.toSorted((a, b) => NEAREST.indexOf(a.reason) - NEAREST.indexOf(b.reason));
  if (best === undefined) throw new Error('unreachable: a version without files');
  return best;
}

function oneText(
  { file, version, reason }: Refusal,
  all: readonly Refusal[],
  { target, cutOff }: RefusalContext,
): string {
  const { pythonVersion, architecture, glibc } = target;
  switch (reason) {
    case 'young':
      return `version ${version} is too young (of ${shownTime(file.uploaded)}, the cooldown's cut-off is ${shownTime(cutOff)})`;
    case 'undated':
      return `of version ${version} the index does not say how old it is`;
    case 'yanked':
      return `version ${version} was withdrawn (yanked)`;
    case 'hash':
      return `no file of version ${version} has a listed hash`;
    case 'python':
      return `version ${version} needs Python ${file.requiresPython ?? ''}, and this is ${pythonVersion}`;
    case 'platform':
      return `version ${version} has no wheel for CPython ${pythonVersion.split('.').slice(0, 2).join('.')} on ${architecture} with glibc ${glibc} (${tagsText(version, all)})`;
    case 'source':
      return `version ${version} is there as source only`;
  }
}

/** What wheels there are instead. */
function tagsText(version: string, all: readonly Refusal[]): string {
  const tags = all
    .filter((one) => one.version === version && one.reason === 'platform')
    .map(({ file }) =>
      file.file
        .replace(/\.whl$/, '')
        .split('-')
        .slice(-3)
        .join('-'),
    );
  const unique = [...new Set(tags)].toSorted(byteOrder);
  return `there is ${unique.slice(0, 3).join(', ')}${unique.length > 3 ? ` and ${unique.length - 3} more` : ''}`;
}

function codeOf(reason: RefusalReason): ErrorCode {
  return reason === 'source' || reason === 'platform' || reason === 'python'
    ? 'E_REQUIREMENT_NO_WHEEL'
    : 'E_REQUIREMENT_REFUSED';
}

function hintOf(project: string, { version, reason }: Refusal): string {
  switch (reason) {
    case 'young':
    case 'undated':
      return `wait, or add \`${project}\` to \`except\` of \`python.cooldown\``;
    case 'yanked':
      return `choose another version, or write \`${project}==${version}\` to take it all the same`;
    case 'hash':
      return 'check where the hashes come from, then correct them';
    case 'python':
    case 'platform':
      return 'choose a version that has wheels for this interpreter, or another `base.debian.suite`';
    case 'source':
      return `choose a version that has wheels, or add \`${project}\` to \`python.build_from_source\``;
  }
}

function shownTime(seconds: number | undefined): string {
  return seconds === undefined ? 'unknown age' : timeText(seconds);
}
