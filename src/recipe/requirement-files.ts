import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { parseImagePath } from '../base/image-path.ts';
import { quotedWord } from './quoted-value.ts';
import type { PlacedRequirement } from './requirement.ts';
import { parseRequirements } from './requirements-text.ts';
import type { RequirementsItem } from './requirements-text.ts';

/** Everything that a requirements file and the files that it includes say, in the order in which pip reads it. */
export interface RequirementsTree {
  readonly requirements: readonly PlacedRequirement[];
  readonly constraints: readonly PlacedRequirement[];
  readonly settings: readonly PlacedSetting[];
  readonly problems: readonly Problem[];
}

export type PlacedSetting = Extract<RequirementsItem, { readonly kind: 'setting' | 'flag' }>;

export interface RootFile {
  /** Relative to the recipe's folder. */
  readonly path: string;
  readonly isConstraint: boolean;
  /** Where the recipe names it. */
  readonly place: SourcePlace;
}

/** The text of a file below the recipe's folder, or why there is none. */
export type ReadText = (
  path: string,
  place: SourcePlace,
) => Promise<{ readonly text: string; readonly shown: string } | { readonly problem: Problem }>;

const MOST_FILES = 100;

/** Reads `roots` and what they include. A file that is included twice counts once; one that includes itself is a problem. */
export async function readRequirementFiles(roots: readonly RootFile[], readText: ReadText): Promise<RequirementsTree> {
  const walk: Walk = { readText, requirements: [], constraints: [], settings: [], problems: [], seen: new Set() };
  for (const root of roots) await readFile(root, [], walk);
  return walk;
}

interface Walk {
  readonly readText: ReadText;
  readonly requirements: PlacedRequirement[];
  readonly constraints: PlacedRequirement[];
  readonly settings: PlacedSetting[];
  readonly problems: Problem[];
  /** Kind and path of the files that were read. */
  readonly seen: Set<string>;
}

async function readFile(file: RootFile, above: readonly string[], walk: Walk): Promise<void> {
  const { path, isConstraint, place } = file;
  if (above.includes(path)) {
    const chain = [...above.slice(above.indexOf(path)), path].map(quotedWord).join(' includes ');
    walk.problems.push(problem(`the file includes itself: ${chain}`, 'remove one of the `-r` and `-c` lines', place));
    return;
  }
  const key = `${isConstraint ? 'c' : 'r'} ${path}`;
  if (walk.seen.has(key)) return;
  walk.seen.add(key);
  if (walk.seen.size > MOST_FILES) {
    if (walk.seen.size > MOST_FILES + 1) return;
    walk.problems.push(problem(`more than ${MOST_FILES} requirements files`, 'put them together', place));
    return;
  }
  const read = await walk.readText(path, place);
  if ('problem' in read) {
    walk.problems.push(read.problem);
    return;
  }
  const { items, problems } = parseRequirements(read.text, read.shown);
  walk.problems.push(...problems);
  for (const item of items) await takeItem(item, { ...file, above: [...above, path] }, walk);
}

interface Inclusion extends RootFile {
  readonly above: readonly string[];
}

async function takeItem(item: RequirementsItem, from: Inclusion, walk: Walk): Promise<void> {
  if (item.kind === 'requirement') (from.isConstraint ? walk.constraints : walk.requirements).push(item);
  else if (item.kind !== 'include') walk.settings.push(item);
  else {
    const path = includedPath(item.path, from.path);
    if (typeof path === 'string') {
      await readFile({ path, isConstraint: item.isConstraint, place: item.place }, from.above, walk);
    } else walk.problems.push({ ...path, place: item.place });
  }
}

/** Relative to the folder of the file that includes, as pip has it. */
function includedPath(text: string, from: string): string | Problem {
  const hint = 'copy the file beside the recipe and write for example `-r other.txt`';
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) {
    return {
      code: 'E_REQUIREMENT_SYNTAX',
      message: `${quotedWord(withoutLogin(text))} is an address, not a file`,
      hint,
    };
  }
  const names = text.startsWith('/') ? undefined : from.split('/').slice(0, -1);
  for (const name of text.split('/')) {
    if (name === '..' && names?.pop() === undefined) return outside(text, hint);
    if (name !== '' && name !== '.' && name !== '..') names?.push(name);
  }
  const path = parseImagePath(names?.join('/') ?? '');
  return path === undefined || path === '' ? outside(text, hint) : path;
}

function outside(text: string, hint: string): Problem {
  return { code: 'E_RECIPE_PATH', message: `${quotedWord(text)} leaves the folder of the recipe`, hint };
}

function withoutLogin(address: string): string {
  return address.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/, '');
}

function problem(message: string, hint: string, place: SourcePlace): Problem {
  return { code: 'E_REQUIREMENT_SYNTAX', message, hint, place };
}
