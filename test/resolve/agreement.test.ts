import { describe, expect, it } from 'vitest';
import { differencesOf, peerOf, wantedVersions, withoutRebuild } from '../../src/resolve/agreement.ts';
import type { DebArtifact, ResolvedTarget, WheelArtifact } from '../../src/resolve/resolution.ts';

function deb(name: string, version: string, depends: readonly string[] = []): DebArtifact {
  const digest = `sha256:${'0'.repeat(64)}` as const;
  return { kind: 'deb', name, version, architecture: 'all', suite: 's', path: 'p.deb', size: 1, digest, depends };
}

function wheel(name: string, version: string): WheelArtifact {
  const digest = `sha256:${'0'.repeat(64)}` as const;
  return { kind: 'wheel', name, version, file: `${name}.whl`, size: 1, digest, uploaded: undefined };
}

function target(debs: readonly DebArtifact[], wheels: readonly WheelArtifact[] = []): ResolvedTarget {
  return { interpreter: undefined, indexes: [], debs, wheels };
}

function differences(amd64: ResolvedTarget, arm64: ResolvedTarget, before: readonly string[] = []): readonly string[] {
  const targets = new Map([
    ['amd64', amd64],
    ['arm64', arm64],
  ] as const);
  return differencesOf(targets, new Map([['c', 'there is no 2-1 for arm64 now']]), before);
}

describe('differencesOf()', () => {
  it('is empty for equal versions, and for one architecture', () => {
    expect(differences(target([deb('a', '1')]), target([deb('a', '1')]))).toEqual([]);
    expect(differencesOf(new Map([['arm64', target([deb('a', '1')])]]), new Map())).toEqual([]);
  });

  it('says why: another build, another version, on one side only', () => {
    const amd64 = target([deb('a', '1-1+b1'), deb('c', '2-1'), deb('d', '1', ['e']), deb('e', '3')]);
    const arm64 = target([deb('a', '1-1+b12'), deb('c', '1-9'), deb('d', '1')]);
    expect(differences(amd64, arm64)).toEqual([
      'a: 1-1+b1 on amd64, 1-1+b12 on arm64: the same source, built another time',
      'c: 2-1 on amd64, 1-9 on arm64: there is no 2-1 for arm64 now',
      'e: 3 on amd64, none on arm64: `d` needs it there',
    ]);
  });

  it('takes a marker for the reason why only one has a wheel', () => {
    expect(differences(target([]), target([], [wheel('w', '1')]))).toEqual([
      'w: none on amd64, 1 on arm64: its marker, or a package that needs it, is for arm64 only',
    ]);
  });

  it('keeps a reason that was found before, as long as the versions are the same', () => {
    const before = ['f: 2 on amd64, 1 on arm64: 2 has no wheel for arm64'];
    const amd64 = target([], [wheel('f', '2')]);
    expect(differences(amd64, target([], [wheel('f', '1')]), before)).toEqual(before);
    expect(differences(amd64, target([], [wheel('f', '0')]), before)).toEqual([
      'f: 2 on amd64, 0 on arm64: locked at different times',
    ]);
  });
});

describe('wantedVersions()', () => {
  const previous = target([deb('a', '1'), deb('b', '1')]);
  const other = target([deb('a', '2')]);
  const versionsOf = (isKept: boolean, upgrade: 'all' | 'none' | readonly string[]): unknown => {
    const { locked, peer } = wantedVersions('debs', {
      previous,
      peer: { architecture: 'amd64', target: other, isKept },
      upgrade,
    });
    return [[...locked.keys()], [...peer.keys()]];
  };

  it('has what is locked, and what the peer has', () => {
    expect(versionsOf(true, 'none')).toEqual([['a', 'b'], ['a']]);
  });

  it('lets go of what may be upgraded, but not of what the peer has just been given', () => {
    expect(versionsOf(true, ['a'])).toEqual([['b'], []]);
    expect(versionsOf(false, ['a'])).toEqual([['b'], ['a']]);
    expect(versionsOf(false, 'all')).toEqual([[], ['a']]);
  });
});

it('peerOf() is the first other architecture that is there', () => {
  const targets = new Map([['amd64', target([])]] as const);
  expect(peerOf('amd64', targets, [])).toBeUndefined();
  expect(peerOf('arm64', targets, ['amd64'])).toMatchObject({ architecture: 'amd64', isKept: true });
  expect(peerOf('arm64', targets, [])).toMatchObject({ architecture: 'amd64', isKept: false });
});

it.each([
  ['1:2.3-4+b1', '1:2.3-4'],
  ['2.3-4+b12', '2.3-4'],
  ['2.3-4+deb13u1', '2.3-4+deb13u1'],
  ['2.3-4+b1~x', '2.3-4+b1~x'],
])('withoutRebuild() makes %s to %s', (version, source) => {
  expect(withoutRebuild(version)).toBe(source);
});
