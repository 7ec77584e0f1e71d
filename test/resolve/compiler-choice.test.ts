import { describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { chooseCompiler, lacksCompiler } from '../../src/resolve/compiler-choice.ts';
import type { DebArtifact, ResolvedTarget } from '../../src/resolve/resolution.ts';

function deb(name: string, architecture: Architecture, depends: readonly string[] = []): DebArtifact {
  const digest = `sha256:${'0'.repeat(64)}` as const;
  return { kind: 'deb', name, version: '1', architecture, suite: 's', path: 'p.deb', size: 1, digest, depends };
}

function target(architecture: Architecture, version: string, compilers?: readonly DebArtifact[]): ResolvedTarget {
  const interpreter = { version, path: '/usr/bin/python3.13', glibc: '2.41', sitePath: '/s', prefix: '/usr/local' };
  const debs = [
    deb('extra', architecture),
    deb('libc6', architecture, ['libgcc-s1']),
    deb('libgcc-s1', architecture, ['libc6']),
    deb('python3.13-minimal', architecture, ['libc6']),
  ];
  return { interpreter, indexes: [], debs, wheels: [], compilers };
}

const AMD64 = target('amd64', '3.13.5');
const ARM64 = target('arm64', '3.13.5');

describe.each([
  ['arm64', ARM64, 'amd64', AMD64],
  ['amd64', AMD64, 'arm64', ARM64],
] as const)('chooseCompiler() for %s', (architecture, image, host, native) => {
  const alone = new Map([[architecture, image]]);
  const both = new Map([...alone, [host, native] as const]);

  it('takes the image’s own interpreter where it runs', () => {
    expect(chooseCompiler(both, architecture, architecture)).toEqual({ kind: 'own' });
    expect(chooseCompiler(alone, architecture, architecture)).toEqual({ kind: 'own' });
  });

  it(`takes what the interpreter for ${host} needs of that target, and no more`, () => {
    const choice = chooseCompiler(both, architecture, host);
    const debs = choice.kind === 'other' ? choice.debs : [];
    expect(debs.map((one) => `${one.name} ${one.architecture}`)).toEqual([
      `libc6 ${host}`,
      `libgcc-s1 ${host}`,
      `python3.13-minimal ${host}`,
    ]);
    expect(lacksCompiler(both, architecture, host)).toBe(false);
  });

  it('takes the target’s own compilers where the lockfile has no such target', () => {
    const compilers = [deb('python3.13-minimal', host)];
    const targets = new Map([[architecture, { ...image, compilers }]]);
    expect(chooseCompiler(targets, architecture, host)).toEqual({ kind: 'other', debs: compilers });
    expect(lacksCompiler(targets, architecture, host)).toBe(false);
  });

  it('never takes packages for the interpreter of a host, which brings its own', () => {
    const ofHost = { ...image, debs: [], host: { files: [], folders: [] } };
    const why = 'an interpreter of `base.host` runs on its own architecture only';
    for (const targets of [
      new Map([[architecture, ofHost]]),
      new Map([[architecture, ofHost] as const, [host, { ...native, debs: [], host: ofHost.host }] as const]),
    ]) {
      expect(chooseCompiler(targets, architecture, host)).toEqual({ kind: 'none', why });
      expect(chooseCompiler(targets, architecture, architecture)).toEqual({ kind: 'own' });
    }
  });

  it('refuses where there is neither, and another version of Python', () => {
    const why = `it takes Python 3.13.5, and the lockfile has no interpreter for ${host}`;
    expect(chooseCompiler(alone, architecture, host)).toEqual({ kind: 'none', why });
    expect(lacksCompiler(alone, architecture, host)).toBe(true);
    const other = new Map([...alone, [host, target(host, '3.13.6')] as const]);
    const whyNot = `it takes Python 3.13.5, and the lockfile has Python 3.13.6 for ${host}`;
    expect(chooseCompiler(other, architecture, host)).toEqual({ kind: 'none', why: whyNot });
  });
});

it('lacksCompiler() is false for an image without Python', () => {
  expect(lacksCompiler(new Map([['arm64', { ...ARM64, interpreter: undefined }]]), 'arm64', 'amd64')).toBe(false);
});
