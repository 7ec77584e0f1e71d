import { byteOrder } from '../base/byte-order.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import { isDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatDuration, formatSize } from '../base/units.ts';
import { printable } from '../recipe/quoted-value.ts';
import { recipeWord, type Recipe } from '../recipe/recipe.ts';
import type { LockedRecipe } from './lockfile.ts';
import { lockedRecipe } from './recipe-inputs.ts';

/** More differences or list elements than this are counted, not named. */
const MOST_NAMED = 10;

/**
 * One line for each difference between the recipe that was locked and the one that is there now, in byte order of their keys;
 * none when the lockfile still fits. Such as `base.debian.packages: + python3-httpx`.
 */
export function explainDrift(locked: LockedRecipe, recipe: Recipe): readonly string[] {
  return differences('', locked.inputs, lockedRecipe(recipe).inputs);
}

/** Throws E_LOCK_DRIFT, saying what has changed, when `recipe` is not what was locked. */
export function checkDrift(locked: LockedRecipe, recipe: Recipe): void {
  const changes = explainDrift(locked, recipe);
  if (changes.length === 0) return;
  const named = changes.slice(0, MOST_NAMED).join('; ');
  const more = changes.length > MOST_NAMED ? `; and ${changes.length - MOST_NAMED} more` : '';
  const message = `the lockfile of \`${recipe.name}\` does not match its recipe: ${named}${more}`;
  throw new RootcellarError('E_LOCK_DRIFT', message, { hint: `run \`rootcellar lock ${recipeWord(recipe)}\`` });
}

/** Like `explainDrift`, of any two values. */
export function explainChanges(before: Json, after: Json): readonly string[] {
  return differences('', before, after);
}

function differences(path: string, before: Json | undefined, after: Json | undefined): readonly string[] {
  if (sameJson(before, after)) return [];
  if (isMap(before) && isMap(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted(byteOrder);
    return keys.flatMap((key) => differences(path === '' ? key : `${path}.${key}`, own(before, key), own(after, key)));
  }
  return [printable(`${path}: ${change(path, before, after)}`)];
}

function change(path: string, before: Json | undefined, after: Json | undefined): string {
  if (isList(before) && isList(after)) return listChange(before, after);
  if (isDigestJson(before) && isDigestJson(after)) return 'changed';
  const [old, now] = scalarTexts(path, before, after);
  if (before === undefined) return `+ ${now}`;
  return after === undefined ? `- ${old}` : `${old} → ${now}`;
}

/** What is gone, then what is new; equal elements are not looked at one by one, as lists are sets but for their order. */
function listChange(before: readonly Json[], after: readonly Json[]): string {
  const old = before.map(shown);
  const now = after.map(shown);
  const gone = old.filter((element) => !now.includes(element)).map((element) => `- ${element}`);
  const added = now.filter((element) => !old.includes(element)).map((element) => `+ ${element}`);
  const changes = [...gone, ...added];
  if (changes.length === 0) return 'another order';
  const more = changes.length > MOST_NAMED ? `, and ${changes.length - MOST_NAMED} more` : '';
  return changes.slice(0, MOST_NAMED).join(', ') + more;
}

const FORMATS: ReadonlyMap<string, (value: number) => string> = new Map([
  ['sandbox.limits.memory', formatSize],
  ['sandbox.limits.output', formatSize],
  ['sandbox.limits.tmp', formatSize],
  ['sandbox.limits.cpu', formatDuration],
  ['sandbox.limits.wall', formatDuration],
]);

/** Both values with units where they have one; exact where the rounded texts would be the same. */
function scalarTexts(path: string, before: Json | undefined, after: Json | undefined): readonly [string, string] {
  const format = FORMATS.get(path);
  const text = (value: Json | undefined): string => {
    return format !== undefined && typeof value === 'number' ? format(value) : shown(value);
  };
  return text(before) === text(after) ? [shown(before), shown(after)] : [text(before), text(after)];
}

function shown(value: Json | undefined): string {
  if (typeof value === 'string') return isDigest(value) ? value.slice(0, 19) : value;
  if (value === undefined) return 'nothing';
  const text = canonicalJson(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

type JsonMap = { readonly [key: string]: Json | undefined };

function own(map: JsonMap, key: string): Json | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function isDigestJson(value: Json | undefined): boolean {
  return typeof value === 'string' && isDigest(value);
}
