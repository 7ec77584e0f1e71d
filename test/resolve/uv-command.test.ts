import { describe, expect, it } from 'vitest';
import { UV_KEPT, uvPlatform } from '../../src/resolve/uv-command.ts';
import { keptVariables } from '../../src/resolve/python-resolution.ts';

describe('uvPlatform()', () => {
  it.each([
    ['2.41', 'x86_64-manylinux_2_40'],
    ['2.36', 'x86_64-manylinux_2_36'],
    ['2.31', 'x86_64-manylinux_2_31'],
    ['2.30', 'x86_64-manylinux_2_28'],
    ['2.24', 'x86_64-manylinux_2_17'],
  ])('glibc %s is %s', (glibc, platform) => {
    expect(uvPlatform({ architecture: 'amd64', pythonVersion: '3.13.5', glibc })).toBe(platform);
  });
});

describe('keptVariables()', () => {
  it('drops what would change the resolution, and nothing of others', () => {
    const environment = {
      UV_INDEX_URL: 'a',
      UV_EXCLUDE_NEWER: 'b',
      UV_FIND_LINKS: 'c',
      UV_INDEX_STRATEGY: 'd',
      HOME: '/h',
    };
    expect(keptVariables(environment, 'UV_', UV_KEPT)).toEqual({
      UV_INDEX_URL: 'a',
      UV_INDEX_STRATEGY: 'd',
      HOME: '/h',
    });
  });
});
