import { expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { errorText, exitStatusOf } from '../../src/cli/error-text.ts';

it('errorText() shows each problem with its place and its hint', () => {
  const error = RootcellarError.ofProblems([
    {
      code: 'E_RECIPE_KEY',
      message: 'there is no key `pakages`',
      hint: 'did you mean `packages`?',
      place: { file: 'r.yaml', line: 3, column: 5 },
    },
    { code: 'E_RECIPE_VALUE', message: '`name` must be text' },
  ]);
  expect(errorText(error)).toBe(
    'error[E_RECIPE_KEY] r.yaml:3:5: there is no key `pakages`\n  hint: did you mean `packages`?\nerror[E_RECIPE_VALUE] `name` must be text',
  );
});

it('exitStatusOf() tells refusals, usage, sandbox failures and bugs apart', () => {
  const errors = [
    new RootcellarError('E_RECIPE_KEY', 'x'),
    new RootcellarError('E_USAGE', 'x'),
    new RootcellarError('E_SANDBOX', 'x'),
    new RootcellarError('E_CANCELLED', 'x'),
    new TypeError('x'),
  ];
  expect(errors.map(exitStatusOf)).toEqual([1, 2, 125, 130, 70]);
});

it('errorText() never passes on what a terminal obeys', () => {
  expect(errorText(new RootcellarError('E_LIBRARY_MISSING', 'libz\u001b[31m.so is missing'))).toBe(
    'error[E_LIBRARY_MISSING] libz\\u{1b}[31m.so is missing',
  );
});

it('errorText() begins no line with what a name holds', () => {
  const forged = new RootcellarError('E_ARTIFACT_INVALID', 'a\nerror[E_USAGE] typed\n  of ours');
  expect(errorText(forged)).toBe('error[E_ARTIFACT_INVALID] a\n  error[E_USAGE] typed\n  of ours');
});
