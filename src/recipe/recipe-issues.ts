import type { z } from 'zod';
import { closestWord } from '../base/closest-word.ts';
import { ERROR_CODES } from '../base/rootcellar-error.ts';
import type { ErrorCode, Problem } from '../base/rootcellar-error.ts';
import { quotedValue, quotedWord } from './quoted-value.ts';
import { recipeKeys } from './recipe-keys.ts';
import { pathText } from './recipe-path-text.ts';
import type { YamlText } from './yaml-text.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Keys that the design knows and this version does not, and what to write instead. */
const PLANNED: ReadonlyMap<string, string | undefined> = new Map([
  ['base.debian.snapshot', undefined],
  ['node', undefined],
]);

/** More than anyone reads; a bound for hostile recipes. */
const MOST_ISSUES = 200;

/** Says in words what the schema refused. A key that is missing only because it is misspelt is not reported twice. */
export function describeIssues(issues: readonly Issue[], yaml: YamlText): readonly Problem[] {
  const flat = issues.slice(0, MOST_ISSUES).flatMap((issue) => chooseBranch(issue, []));
  const described = flat.flatMap((issue) => describeIssue(issue, yaml));
  const replaced = new Set(described.flatMap(({ replaces }) => replaces ?? []));
  return described
    .filter(({ missing }) => missing === undefined || !replaced.has(missing))
    .map(({ problem }) => problem);
}

interface Described {
  readonly problem: Problem;
  /** The path of the key that is meant, where this one is unknown. */
  readonly replaces?: string | undefined;
  /** The path of the key that is not there. */
  readonly missing?: string | undefined;
}

/** Replaces the issue of a union by the issues of that alternative whose type the input has. */
function chooseBranch(issue: Issue, around: Path): readonly Issue[] {
  const path = [...around, ...issue.path];
  if (issue.code !== 'invalid_union') return [{ ...issue, path }];
  const fitting = issue.errors.find((branch) =>
    branch.every((one) => one.code !== 'invalid_type' || one.path.length > 0),
  );
  return fitting === undefined ? [{ ...issue, path }] : fitting.flatMap((one) => chooseBranch(one, path));
}

function describeIssue(issue: Issue, yaml: YamlText): readonly Described[] {
  if (issue.code === 'unrecognized_keys') {
    const known = recipeKeys(issue.path);
    return issue.keys.slice(0, MOST_ISSUES).map((key) => describeUnknownKey([...issue.path, key], known, yaml));
  }
  const name = pathText(issue.path);
  if (isMissing(issue)) return [{ problem: missingProblem(issue.path, yaml), missing: name }];
  const inner = issue.code === 'invalid_key' ? issue.issues[0] : issue;
  const { fault, hint, code } = factsOf(inner ?? issue);
  const place = issue.code === 'invalid_key' ? yaml.keyPlace(issue.path) : yaml.valuePlace(issue.path);
  return [{ problem: { code, message: `${name} ${fault}`, hint, place } }];
}

function isMissing(issue: Issue): boolean {
  return issue.path.length > 0 && 'input' in issue && issue.input === undefined && issue.code !== 'invalid_key';
}

function missingProblem(path: Path, yaml: YamlText): Problem {
  const key = String(path.at(-1));
  return {
    code: 'E_RECIPE_VALUE',
    message: `${pathText(path)} is missing`,
    hint: `add \`${key}\`${path.length > 1 ? ` below ${pathText(path.slice(0, -1))}` : ''}`,
    place: yaml.keyPlace(path.slice(0, -1)),
  };
}

function describeUnknownKey(path: Path, known: readonly string[], yaml: YamlText): Described {
  const key = String(path.at(-1));
  const around = path.slice(0, -1);
  const place = yaml.keyPlace(path);
  const planned = around.every((name) => typeof name === 'string') ? path.join('.') : '';
  if (PLANNED.has(planned)) {
    const instead = PLANNED.get(planned);
    const hint = instead === undefined ? `remove \`${key}\`` : `use \`${instead}\``;
    const message = `this version does not support ${pathText(path)} yet`;
    const replaces = instead === undefined ? undefined : pathText([...around, instead]);
    return { problem: { code: 'E_RECIPE_KEY', message, hint, place }, replaces };
  }
  const meant = key.length <= 64 ? closestWord(key, known) : undefined;
  const list = `write one of ${known.map((one) => `\`${one}\``).join(', ')}`;
  const hint = meant === undefined ? list : `did you mean \`${meant}\`?`;
  const message = `unknown key ${around.length === 0 ? quotedWord(key) : pathText(path)}`;
  const replaces = meant === undefined ? undefined : pathText([...around, meant]);
  return { problem: { code: 'E_RECIPE_KEY', message, hint, place }, replaces };
}

interface IssueFacts {
  readonly fault: string;
  readonly hint: string | undefined;
  readonly code: ErrorCode;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'text',
};

function factsOf(issue: Issue): IssueFacts {
  const code = 'E_RECIPE_VALUE';
  if (issue.code === 'custom') {
    const { hint, code: own } = issue.params ?? {};
    return {
      fault: issue.message,
      hint: typeof hint === 'string' ? hint : undefined,
      code: isErrorCode(own) ? own : code,
    };
  }
  if (issue.code === 'too_small')
    return { fault: 'must not be empty', hint: 'add an element, or remove the key', code };
  const expected = issue.code === 'invalid_type' ? (TYPE_NAMES[issue.expected] ?? issue.expected) : 'text or a map';
  return { fault: `must be ${expected}, got ${quotedValue(issue.input)}`, hint: typeHint(expected), code };
}

function typeHint(expected: string): string {
  if (expected === 'a list') return 'write `[first, second]`, or one element a line after `- `';
  if (expected === 'text') return 'put it into quotes';
  return 'write its keys below it, indented';
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}
