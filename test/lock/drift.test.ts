import { describe, expect, it } from 'vitest';
import { checkDrift, explainDrift } from '../../src/lock/drift.ts';
import { assemblyInputs, lockedRecipe, resolutionInputs } from '../../src/lock/recipe-inputs.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { TOY_BASE, TOY_RECIPE } from './toy-recipe.ts';

const LOCKED = lockedRecipe(TOY_RECIPE);
const { sandbox } = TOY_RECIPE;
const base = TOY_BASE;

function withLimits(limits: Partial<Recipe['sandbox']['limits']>): Recipe {
  return { ...TOY_RECIPE, sandbox: { ...sandbox, limits: { ...sandbox.limits, ...limits } } };
}

function withLines(lines: readonly string[], indexUrl?: string): Recipe {
  return { ...TOY_RECIPE, python: { file: 'other.txt', lines, indexUrl } };
}

describe('lockedRecipe()', () => {
  it('does not depend on where the recipe lies or how its files are called', () => {
    const moved: Recipe = {
      ...withLines(['numpy<2', 'pandas']),
      file: '/elsewhere/recipe.yaml',
      sources: [{ path: 'x', digest: LOCKED.digest }],
    };
    expect(lockedRecipe(moved)).toEqual(LOCKED);
  });

  it('holds no address and no password, only a digest that a new password does not change', () => {
    const first = lockedRecipe(withLines(['a'], 'https://user:secret@index.example/simple'));
    const second = lockedRecipe(withLines(['a'], 'https://other:hidden@index.example/simple'));
    const elsewhere = lockedRecipe(withLines(['a'], 'https://index.example/other'));
    expect(JSON.stringify(first)).not.toMatch(/example|secret|user/);
    expect(second).toEqual(first);
    expect(elsewhere.digest).not.toBe(first.digest);
  });
});

describe('resolutionInputs()', () => {
  it('changes with what is to be resolved, and only with that', () => {
    const before = resolutionInputs(LOCKED.inputs);
    expect(Object.keys(before)).toEqual(['base', 'python']);
    expect(resolutionInputs(lockedRecipe(withLimits({ processes: 1 })).inputs)).toEqual(before);
    expect(resolutionInputs(lockedRecipe(withLines(['numpy'])).inputs)).not.toEqual(before);
  });

  it('leaves the rest to assemblyInputs()', () => {
    expect(Object.keys(assemblyInputs(LOCKED.inputs))).toEqual(['name', 'files', 'sandbox']);
  });
});

describe('explainDrift()', () => {
  it('says nothing where nothing has changed', () => {
    expect(explainDrift(LOCKED, TOY_RECIPE)).toEqual([]);
  });

  it.each<[string, Recipe, string[]]>([
    [
      'a package',
      { ...TOY_RECIPE, base: { ...base, packages: ['ca-certificates', 'python3', 'python3-httpx'] } },
      ['base.debian.packages: + python3-httpx'],
    ],
    ['a requirement', withLines(['numpy', 'pandas']), ['python.requirements: - numpy<2, + numpy']],
    ['the order of requirements', withLines(['pandas', 'numpy<2']), ['python.requirements: another order']],
    [
      'many requirements',
      withLines(Array.from({ length: 20 }, (_, index) => `p${index}`)),
      ['python.requirements: - numpy<2, - pandas, + p0, + p1, + p2, + p3, + p4, + p5, + p6, + p7, and 12 more'],
    ],
    [
      'no requirements any more',
      { ...TOY_RECIPE, python: undefined },
      ['python: - {"requirements":["numpy<2","pandas"]}'],
    ],
    [
      'a limit',
      withLimits({ memoryBytes: 512 * 1024 ** 2, wallMs: 60_000 }),
      ['sandbox.limits.memory: 256 MiB → 512 MiB', 'sandbox.limits.wall: 10 s → 1 min 0 s'],
    ],
    [
      'a limit by one byte',
      withLimits({ memoryBytes: 256 * 1024 ** 2 + 1 }),
      ['sandbox.limits.memory: 268435456 → 268435457'],
    ],
    [
      'the suite and the name',
      { ...TOY_RECIPE, name: 'other', base: { ...base, suite: 'sid' } },
      ['base.debian.suite: trixie → sid', 'name: toy → other'],
    ],
    [
      'the content of a file',
      { ...TOY_RECIPE, files: [{ path: 'etc/motd', mode: 0o600, content: Buffer.from('bye') }] },
      ['files./etc/motd.digest: changed', 'files./etc/motd.mode: 0644 → 0600'],
    ],
    [
      'a mirror',
      { ...TOY_RECIPE, base: { ...base, mirror: 'https://mirror.example/debian' } },
      [expect.stringMatching(/^base\.debian\.mirror: \+ sha256:[0-9a-f]{12}$/)],
    ],
  ])('names a change of %s', (_, recipe, lines) => {
    expect(explainDrift(LOCKED, recipe)).toEqual(lines);
  });
});

describe('checkDrift()', () => {
  it('accepts what was locked', () => {
    expect(() => checkDrift(LOCKED, TOY_RECIPE)).not.toThrow();
  });

  it('throws E_LOCK_DRIFT with all changes and what to type', () => {
    expect(() => checkDrift(LOCKED, withLines(['numpy', 'pandas']))).toThrow(
      expect.objectContaining({
        code: 'E_LOCK_DRIFT',
        message: 'the lockfile of `toy` does not match its recipe: python.requirements: - numpy<2, + numpy',
        hint: 'run `rootcellar lock /recipes/toy`',
      }),
    );
  });
});
