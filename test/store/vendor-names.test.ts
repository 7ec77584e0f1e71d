import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, hexOf } from '../../src/base/digest.ts';
import type { DebArtifact, WheelArtifact } from '../../src/resolve/resolution.ts';
import { isVendoredName, vendorPaths, vendorPlan } from '../../src/store/vendor-names.ts';

function deb(name: string, version: string, content = 'x'): DebArtifact {
  const path = `pool/main/x/${name}_${version}_all.deb`;
  const digest = digestOf(content);
  return { kind: 'deb', name, version, architecture: 'all', suite: 'trixie', path, size: 1, digest, depends: [] };
}

function wheel(file: string, content = 'x'): WheelArtifact {
  return { kind: 'wheel', name: 'x', version: '1', file, size: 1, digest: digestOf(content), uploaded: undefined };
}

describe('vendorPaths()', () => {
  it('keeps the epoch of a Debian version apart, as apt does', () => {
    expect(vendorPaths(deb('app', '1:2.0~rc1+x-1'))[0]).toBe('debs/app_1%3a2.0~rc1+x-1_all.deb');
    expect(vendorPaths(deb('app', '2.0~rc1+x-1'))[0]).toBe('debs/app_2.0~rc1+x-1_all.deb');
  });

  it('gives a wheel its own name', () => {
    expect(vendorPaths(wheel('numpy-2.3.1-cp313-cp313-manylinux_2_28_x86_64.whl'))).toEqual([
      'wheels/numpy-2.3.1-cp313-cp313-manylinux_2_28_x86_64.whl',
      `wheels/${hexOf(digestOf('x'))}.whl`,
    ]);
  });

  it('goes by the digest where the name is too long for a file system', () => {
    expect(vendorPaths(deb('a'.repeat(120), '1'.repeat(120)))).toHaveLength(2);
    expect(vendorPaths(deb('a'.repeat(128), '1'.repeat(128)))).toEqual([`debs/${hexOf(digestOf('x'))}.deb`]);
  });
});

describe('files of a host', () => {
  it('lie under their digests alone, each content once', () => {
    const one = { kind: 'host', name: '/usr/lib/a', version: '', size: 1, digest: digestOf('x') } as const;
    const path = `host/${hexOf(digestOf('x'))}`;
    expect(vendorPaths(one)).toEqual([path]);
    expect(vendorPlan([one, { ...one, name: '/usr/lib/b' }]).map((planned) => planned.path)).toEqual([path]);
  });

  it('are told from what a user has put beside them', () => {
    const hex = hexOf(digestOf('x'));
    expect(
      ['README', '.gitattributes', hex, `${hex}.old`, hex.toUpperCase()].map((name) => isVendoredName('host', name)),
    ).toEqual([false, false, true, false, false]);
    expect(isVendoredName('deb', 'a_1_all.deb')).toBe(true);
    expect(isVendoredName('deb', hex)).toBe(false);
  });
});

describe('vendorPlan()', () => {
  it('names by digest what would have one name, also where case does not count', () => {
    const artifacts = [wheel('a-1-py3-none-any.whl', 'one'), wheel('a-1-py3-none-any.whl', 'two'), deb('b', '1.0A')];
    const digests = ['one', 'two'].map((content) => `wheels/${hexOf(digestOf(content))}.whl`);
    expect(vendorPlan(artifacts).map(({ path }) => path)).toEqual([...digests, 'debs/b_1.0A_all.deb']);
    expect(vendorPlan([deb('b', '1.0A', 'one'), deb('b', '1.0a', 'two')]).map(({ path }) => path)).toEqual(
      ['one', 'two'].map((content) => `debs/${hexOf(digestOf(content))}.deb`),
    );
  });

  it('lists what several architectures share once', () => {
    expect(vendorPlan([deb('b', '1'), wheel('c-1-py3-none-any.whl'), deb('b', '1')])).toHaveLength(2);
  });

  it('never gives two files one path, nor a path that leads elsewhere', () => {
    const version = fc.stringMatching(/^[0-9A-Za-z.+:~-]{1,12}$/);
    const one = fc.tuple(fc.stringMatching(/^[ab]{1,2}$/), version, fc.constantFrom('x', 'y', 'z'));
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (rows) => {
        const plan = vendorPlan(rows.map((row) => deb(...row)));
        const files = new Map<string, string>();
        for (const { path, artifact } of plan) {
          expect(path).toMatch(/^debs\/[^/]+\.deb$/);
          const key = path.toLowerCase();
          expect(files.get(key) ?? artifact.digest).toBe(artifact.digest);
          expect(vendorPaths(artifact)).toContain(path);
          files.set(key, artifact.digest);
        }
        expect(new Set(plan.map(({ artifact }) => artifact.digest))).toEqual(
          new Set(rows.map(([, , content]) => digestOf(content))),
        );
      }),
    );
  });
});
