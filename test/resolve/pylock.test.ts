import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePylock, preferencesPylock } from '../../src/resolve/pylock.ts';

const HEX = 'ab'.repeat(32);

describe('parsePylock()', () => {
  it('reads packages with their wheels', () => {
    const text = `lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "Foo.Bar"
version = "1.0"
wheels = [{ url = "https://i.example/f/foo_bar-1.0%2Bx-py3-none-any.whl", upload-time = 2026-11-15T21:30:44Z, hashes = { sha256 = "${HEX}" } }]
`;
    expect(parsePylock(text)).toEqual([
      {
        name: 'foo-bar',
        version: '1.0',
        wheels: [{ file: 'foo_bar-1.0+x-py3-none-any.whl', digest: `sha256:${HEX}` }],
      },
    ]);
  });

  it('refuses a package without a version', () => {
    expect(parsePylock('lock-version = "1.0"\n[[packages]]\nname = "a"\n')).toBeUndefined();
  });

  it('refuses what is no pylock.toml', () => {
    expect(parsePylock('')).toBeUndefined();
    expect(parsePylock('lock-version = [')).toBeUndefined();
  });

  it('reads back what preferencesPylock() writes', () => {
    const versions = fc.dictionary(
      fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/),
      fc.stringMatching(/^[0-9]\.[0-9a-z+.!]{1,8}$/),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string()), versions, (_, pairs) => {
        const map = new Map(Object.entries(pairs));
        const packages = parsePylock(preferencesPylock(map)) ?? [];
        expect(new Map(packages.map(({ name, version }) => [name, version]))).toEqual(map);
      }),
    );
  });
});
