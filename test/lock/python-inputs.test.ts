import { describe, expect, it } from 'vitest';
import { explainDrift } from '../../src/lock/drift.ts';
import { parseLockfile } from '../../src/lock/lockfile-parser.ts';
import { formatLockfile } from '../../src/lock/lockfile-text.ts';
import { pinResolution } from '../../src/lock/pin.ts';
import { lockedRecipe } from '../../src/lock/recipe-inputs.ts';
import type { PythonRequirements, Recipe } from '../../src/recipe/recipe.ts';
import type { UrlRequirement } from '../../src/recipe/requirement.ts';
import type { WheelOrigin } from '../../src/resolve/resolution.ts';
import { TOY_RECIPE, TOY_RESOLUTION, TOY_TARGET, toyDigest } from './toy-recipe.ts';

const URL_REQUIREMENT: UrlRequirement = {
  kind: 'url',
  name: 'one',
  version: '1.0',
  extras: [],
  marker: undefined,
  address: 'https://${USER}:secret@host.example/one-1.0-py3-none-any.whl?t=hidden',
  file: 'one-1.0-py3-none-any.whl',
  form: 'wheel',
  digest: undefined,
  subdirectory: undefined,
};

function withPython(python: Partial<PythonRequirements>): Recipe {
  return { ...TOY_RECIPE, python: { file: 'r.txt', lines: ['numpy<2', 'pandas'], indexUrl: undefined, ...python } };
}

describe('the inputs of Python requirements', () => {
  it('stay as they were where nothing of it is used', () => {
    const plain = { direct: [], constraints: [], findLinks: [], hashes: new Map(), noIndex: false, places: new Map() };
    expect(lockedRecipe(withPython(plain))).toEqual(lockedRecipe(TOY_RECIPE));
  });

  it('name no host and no secret, and a new secret is no change', () => {
    const python = {
      direct: [URL_REQUIREMENT],
      extraIndexUrls: ['https://me:secret@extra.example/simple'],
      findLinks: ['https://me:secret@links.example/', 'wheels', 'file:///srv/secret-place'],
      trustedHosts: ['trusted.example'],
    };
    const locked = lockedRecipe(withPython(python));
    expect(JSON.stringify(locked)).not.toMatch(/example|secret|hidden|USER/);
    const other = { ...python, extraIndexUrls: ['https://you:other@extra.example/simple'], trustedHosts: [] };
    expect(lockedRecipe(withPython(other))).toEqual(locked);
  });

  it.each([
    [{ constraints: ['six<2'] }, 'python.constraints: + ["six<2"]'],
    [{ preReleases: true }, 'python.pre_releases: + true'],
    [{ noIndex: true }, 'python.no_index: + true'],
    [{ findLinks: ['wheels'] }, 'python.find_links: + ["wheels"]'],
    [{ cooldown: { ms: 5, except: ['a'] } }, 'python.cooldown: + {"except":["a"],"milliseconds":5}'],
    [{ hashes: new Map([['a', [toyDigest('a')]]]) }, `python.hashes: + {"a":["${toyDigest('a').slice(0, 53)}…`],
  ])('%j is drift', (python, change) => {
    expect(explainDrift(lockedRecipe(TOY_RECIPE), withPython(python))).toEqual([change]);
  });
});

describe('a lockfile', () => {
  const origins: readonly WheelOrigin[] = [
    { url: toyDigest('d') },
    { path: 'wheels/one-1.0-py3-none-any.whl' },
    { findLinks: 'wheels' },
    { findLinks: '.' },
    { findLinks: toyDigest('e') },
  ];

  it.each(origins)('keeps where a wheel comes from: %j', (from) => {
    const [wheel] = TOY_TARGET.wheels;
    if (wheel === undefined) throw new Error('the toy has wheels');
    const target = { ...TOY_TARGET, wheels: [{ ...wheel, from }] };
    const resolution = { ...TOY_RESOLUTION, targets: new Map([['amd64', target] as const]) };
    const lock = pinResolution({ recipe: TOY_RECIPE, resolution });
    expect(parseLockfile(formatLockfile(lock), 'x')).toEqual(lock);
  });

  it('keeps the cut-off of a cooldown as a time in UTC', () => {
    const lock = pinResolution({ recipe: TOY_RECIPE, resolution: { ...TOY_RESOLUTION, cutOff: 1_760_000_000 } });
    const text = formatLockfile(lock);
    expect(text).toContain('"cut_off": "2025-10-09T08:53:20Z"');
    expect(parseLockfile(text, 'x')).toEqual(lock);
    for (const wrong of ['2025-10-09', '2025-13-09T08:53:20Z', '1760000000', 'now']) {
      expect(() => parseLockfile(text.replace('2025-10-09T08:53:20Z', wrong), 'x')).toThrow('cut_off');
    }
  });

  it('refuses a place that leaves the recipe, or is an address', () => {
    const [wheel] = TOY_TARGET.wheels;
    if (wheel === undefined) throw new Error('the toy has wheels');
    for (const path of ['../x.whl', '/x.whl', 'https://host/x.whl', 'x.txt']) {
      const target = { ...TOY_TARGET, wheels: [{ ...wheel, from: { path } }] };
      const resolution = { ...TOY_RESOLUTION, targets: new Map([['amd64', target] as const]) };
      const text = formatLockfile(pinResolution({ recipe: TOY_RECIPE, resolution }));
      expect(() => parseLockfile(text, 'x')).toThrow('cannot be read');
    }
  });
});
