import { describe, expect, it } from 'vitest';
import { newestDate } from '../../src/resolve/epoch.ts';
import type { ResolvedTarget } from '../../src/resolve/resolution.ts';

const DIGEST = `sha256:${'0'.repeat(64)}` as const;

function target(date: number, uploaded: number | undefined): ResolvedTarget {
  return {
    interpreter: undefined,
    indexes: [{ archive: 'debian', suite: 's', component: 'main', inRelease: DIGEST, packages: DIGEST, date }],
    debs: [],
    wheels: [{ kind: 'wheel', name: 'w', version: '1', file: 'w.whl', size: 1, digest: DIGEST, uploaded }],
  };
}

describe('newestDate()', () => {
  it('is the newest of indexes and wheels, over all architectures', () => {
    expect(newestDate([target(10, 5), target(3, 12)])).toEqual({ seconds: 12, from: 'w.whl' });
    expect(newestDate([target(10, undefined)])).toEqual({ seconds: 10, from: 'index of s' });
  });

  it('takes the first of several that are equally new', () => {
    expect(newestDate([target(10, 10)]).from).toBe('index of s');
  });
});
