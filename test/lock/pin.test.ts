import { describe, expect, it } from 'vitest';
import { pinResolution } from '../../src/lock/pin.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import type { Resolution, ResolvedTarget } from '../../src/resolve/resolution.ts';
import { TOY_RECIPE, TOY_RESOLUTION, TOY_TARGET, toyDigest, withDiffId } from './toy-recipe.ts';

const BUILT = withDiffId(pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION }), toyDigest('f'));
const LATER = { seconds: 1_770_000_000, from: 'debian trixie InRelease' };

function laterWith(target: Partial<ResolvedTarget>): Resolution {
  return { ...TOY_RESOLUTION, epoch: LATER, targets: new Map([['amd64', { ...TOY_TARGET, ...target }]]) };
}

/** What stays of `BUILT` when its recipe is resolved again. */
function kept(resolution: Resolution, recipe: Recipe = TOY_RECIPE): { epoch: boolean; diffId: boolean } {
  const lock = pinResolution({ recipe, resolution, previous: BUILT });
  return { epoch: lock.epoch.seconds === BUILT.epoch.seconds, diffId: lock.targets.get('amd64')?.diffId !== undefined };
}

describe('pinResolution()', () => {
  it('gives a lockfile without an identity of the image at first', () => {
    const lock = pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION });
    expect(lock.targets.get('amd64')).toStrictEqual({ ...TOY_TARGET, diffId: undefined });
    expect(lock).toMatchObject({ format: 1, epoch: TOY_RESOLUTION.epoch, resolvers: TOY_RESOLUTION.resolvers });
  });

  it('keeps epoch and identity when only the index is newer', () => {
    const index = {
      archive: 'debian',
      suite: 'trixie',
      component: 'main',
      inRelease: toyDigest('c'),
      packages: toyDigest('d'),
      date: LATER.seconds,
    };
    expect(kept(laterWith({ indexes: [index] }))).toEqual({ epoch: true, diffId: true });
    const lock = pinResolution({ recipe: TOY_RECIPE, resolution: laterWith({ indexes: [index] }), previous: BUILT });
    expect(lock.targets.get('amd64')?.indexes).toEqual([index]);
  });

  it('keeps them when a package has only moved to another suite', () => {
    const debs = TOY_TARGET.debs.map((deb) => ({ ...deb, suite: 'trixie-updates' }));
    expect(kept(laterWith({ debs }))).toEqual({ epoch: true, diffId: true });
  });

  it.each<[string, Partial<ResolvedTarget>]>([
    ['a wheel', { wheels: TOY_TARGET.wheels.map((wheel) => ({ ...wheel, digest: toyDigest('9') })) }],
    ['a package', { debs: TOY_TARGET.debs.slice(1) }],
    ['the interpreter', { interpreter: undefined }],
  ])('drops both when %s has changed', (_, target) => {
    expect(kept(laterWith(target))).toEqual({ epoch: false, diffId: false });
  });

  it('drops the identity when a wheel has changed under the same epoch', () => {
    const wheels = TOY_TARGET.wheels.map((wheel) => ({ ...wheel, digest: toyDigest('9') }));
    const resolution: Resolution = { ...TOY_RESOLUTION, targets: new Map([['amd64', { ...TOY_TARGET, wheels }]]) };
    expect(kept(resolution)).toEqual({ epoch: true, diffId: false });
  });

  it('drops the identity but not the epoch when only the recipe has changed', () => {
    const recipe = { ...TOY_RECIPE, files: [] };
    expect(kept(laterWith({}), recipe)).toEqual({ epoch: true, diffId: false });
  });

  it('drops both when an architecture comes along', () => {
    const resolution: Resolution = {
      ...laterWith({}),
      targets: new Map([
        ['amd64', TOY_TARGET],
        ['arm64', TOY_TARGET],
      ]),
    };
    expect(kept(resolution)).toEqual({ epoch: false, diffId: false });
  });

  it('drops the identity that another format gave', () => {
    const lock = pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION, previous: { ...BUILT, format: 0 } });
    expect(lock.targets.get('amd64')?.diffId).toBeUndefined();
  });
});
