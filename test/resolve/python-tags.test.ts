import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { wheelTags } from '../../src/resolve/python-tags.ts';

const TARGET = { architecture: 'amd64', pythonVersion: '3.2.0', glibc: '2.6' } as const;

describe('wheelTags()', () => {
  it('gives the order of PEP 425 and PEP 600, written out for a small case', () => {
    const p = ['manylinux_2_6_x86_64', 'manylinux_2_5_x86_64', 'manylinux1_x86_64', 'linux_x86_64'];
    const on = (tag: string): string[] => p.map((platform) => `${tag}-${platform}`);
    expect(wheelTags(TARGET)).toEqual([
      ...on('cp32-cp32'),
      ...on('cp32-abi3'),
      ...on('cp32-none'),
      ...on('py32-none'),
      ...on('py3-none'),
      ...on('py31-none'),
      ...on('py30-none'),
      'cp32-none-any',
      'py32-none-any',
      'py3-none-any',
      'py31-none-any',
      'py30-none-any',
    ]);
  });

  it('knows the stable ABI of older interpreters, and legacy names of manylinux', () => {
    const tags = wheelTags({ architecture: 'amd64', pythonVersion: '3.13.5', glibc: '2.41' });
    expect(tags).toContain('cp39-abi3-manylinux2014_x86_64');
    expect(tags).not.toContain('cp39-cp39-manylinux2014_x86_64');
    expect(tags).not.toContain('cp313-cp313-manylinux_2_42_x86_64');
    expect(tags[0]).toBe('cp313-cp313-manylinux_2_41_x86_64');
  });

  it('goes down to glibc 2.17 on arm64', () => {
    const tags = wheelTags({ architecture: 'arm64', pythonVersion: '3.13.5', glibc: '2.18' });
    expect(tags.slice(0, 4)).toEqual([
      'cp313-cp313-manylinux_2_18_aarch64',
      'cp313-cp313-manylinux_2_17_aarch64',
      'cp313-cp313-manylinux2014_aarch64',
      'cp313-cp313-linux_aarch64',
    ]);
  });

  // The oracle: `packaging`, as pip carries it. Asked only on request, because not every machine has pip.
  it.runIf(process.env['ROOTCELLAR_ORACLES'] === '1')('agrees with `packaging`', () => {
    const script = `
from pip._vendor.packaging import tags, _manylinux
_manylinux._get_glibc_version = lambda: (2, 41)
plats = list(tags._linux_platforms(is_32bit=False))
plats = [p for p in plats if 'musl' not in p]
out = list(tags.cpython_tags((3, 13), abis=['cp313'], platforms=plats)) + list(tags.compatible_tags((3, 13), 'cp313', plats))
print('\\n'.join(str(t) for t in out))`;
    const { stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
    const ours = wheelTags({ architecture: 'amd64', pythonVersion: '3.13.5', glibc: '2.41' });
    expect(ours).toEqual([...new Set(stdout.trim().split('\n'))]);
  });
});
