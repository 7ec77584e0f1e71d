import { describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import type { LockedTarget, Lockfile } from '../../src/lock/lockfile.ts';
import { pinResolution } from '../../src/lock/pin.ts';
import { targetKey } from '../../src/lock/target-key.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import type { Resolution, ResolvedTarget } from '../../src/resolve/resolution.ts';
import { TOY_RECIPE, TOY_RESOLUTION, TOY_TARGET, toyDigest, withDiffId } from './toy-recipe.ts';

const BUILT = withDiffId(pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION }), toyDigest('f'));
const LATER = { seconds: 1_770_000_000, from: 'debian trixie InRelease' };

function laterWith(target: Partial<ResolvedTarget>): Resolution {
  return { ...TOY_RESOLUTION, epoch: LATER, targets: new Map([['amd64', { ...TOY_TARGET, ...target }]]) };
}

function given(lock: Lockfile, architecture: Architecture): LockedTarget {
  const target = lock.targets.get(architecture);
  if (target === undefined) throw new Error(`nothing for ${architecture}`);
  return target;
}

function withArm(target: Partial<ResolvedTarget>, epoch = LATER): Resolution {
  const arm = { ...TOY_TARGET, ...target };
  return { ...TOY_RESOLUTION, epoch, targets: new Map([...TOY_RESOLUTION.targets, ['arm64', arm]]) };
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

  describe('with a second architecture', () => {
    const both: Recipe = { ...TOY_RECIPE, architectures: ['amd64', 'arm64'] };
    const others = TOY_TARGET.wheels.map((wheel) => ({ ...wheel, digest: toyDigest('8') }));
    const lockOf = (resolution: Resolution, previous = BUILT): Lockfile =>
      pinResolution({ recipe: both, resolution, previous });

    it('keeps the identity and the epoch of the one that was there before', () => {
      const lock = lockOf(withArm({}));
      expect(lock.epoch).toEqual(LATER);
      expect(lock.targets.get('amd64')).toEqual({
        ...TOY_TARGET,
        epoch: TOY_RESOLUTION.epoch,
        diffId: toyDigest('f'),
      });
      expect(lock.targets.get('arm64')).toEqual({ ...TOY_TARGET, diffId: undefined });
    });

    it('changes only the one of which something has changed', () => {
      const before = withDiffId(lockOf(withArm({}, TOY_RESOLUTION.epoch)), toyDigest('e'));
      const lock = lockOf(withArm({ wheels: others }), before);
      expect(lock.targets.get('amd64')).toMatchObject({ epoch: TOY_RESOLUTION.epoch, diffId: toyDigest('e') });
      expect(lock.targets.get('arm64')).toMatchObject({ diffId: undefined });
      expect(targetKey(lock, 'amd64', given(lock, 'amd64'))).toBe(targetKey(before, 'amd64', given(before, 'amd64')));
      expect(targetKey(lock, 'arm64', given(lock, 'arm64'))).not.toBe(
        targetKey(before, 'arm64', given(before, 'arm64')),
      );
    });

    it('takes the target’s own epoch from the resolution', () => {
      const own = { seconds: 1_765_000_000, from: 'x.whl' };
      expect(lockOf(withArm({ wheels: others, epoch: own })).targets.get('arm64')?.epoch).toBeUndefined();
      const lock = lockOf({ ...laterWith({ wheels: others, epoch: own }) });
      expect(lock).toMatchObject({ epoch: own });
      expect(lock.targets.get('amd64')?.epoch).toBeUndefined();
    });

    it('keeps the identity when only the compilers have changed', () => {
      const compilers = TOY_TARGET.debs.slice(1);
      expect(kept(laterWith({ compilers }))).toEqual({ epoch: true, diffId: true });
    });
  });

  it('drops the identity that another format gave', () => {
    const lock = pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION, previous: { ...BUILT, format: 0 } });
    expect(lock.targets.get('amd64')?.diffId).toBeUndefined();
  });
});
