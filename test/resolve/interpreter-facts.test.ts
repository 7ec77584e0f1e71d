import { describe, expect, it } from 'vitest';
import { interpreterOf, upstreamVersion } from '../../src/resolve/interpreter-facts.ts';
import type { DebArtifact } from '../../src/resolve/resolution.ts';

function deb(name: string, version: string): DebArtifact {
  const digest = `sha256:${'0'.repeat(64)}` as const;
  return { kind: 'deb', name, version, architecture: 'amd64', suite: 's', path: 'p', size: 1, digest, depends: [] };
}

describe('interpreterOf()', () => {
  it('reads version, folders and C library from the packages', () => {
    const debs = [deb('libc6', '2.41-12+deb13u4'), deb('python3.13-minimal', '3.13.5-2+deb13u5')];
    expect(interpreterOf(debs)).toEqual({
      version: '3.13.5',
      path: '/usr/bin/python3.13',
      glibc: '2.41',
      sitePath: '/usr/local/lib/python3.13/dist-packages',
      prefix: '/usr/local',
    });
  });

  it('takes the newest of several, by number', () => {
    const debs = [deb('python3.9-minimal', '3.9.2-1'), deb('libc6', '2.31-1'), deb('python3.11-minimal', '3.11.2-6')];
    expect(interpreterOf(debs)?.version).toBe('3.11.2');
  });

  it('gives nothing without a python or without a C library', () => {
    expect(interpreterOf([deb('libc6', '2.41-12')])).toBeUndefined();
    expect(interpreterOf([deb('python3.13-minimal', '3.13.5-2')])).toBeUndefined();
  });
});

describe('upstreamVersion()', () => {
  it.each([
    ['1:2.3-4', '2.3'],
    ['2.3~rc1-1-2', '2.3~rc1-1'],
    ['5', '5'],
  ])('%s is %s', (version, upstream) => {
    expect(upstreamVersion(version)).toBe(upstream);
  });
});
