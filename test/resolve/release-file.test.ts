import { describe, expect, it } from 'vitest';
import { parseRelease } from '../../src/resolve/release-file.ts';

const HEX = 'ab'.repeat(32);
const BODY = `Suite: stable
Date: Sat, 12 Sep 2026 07:55:41 UTC
Architectures: all amd64
Components: main contrib
MD5Sum:
 3e498904a30e240573dac8ddac594e6f  1961125 main/binary-amd64/Packages
SHA256:
 ${HEX}  10 main/binary-amd64/Packages
 nonsense 10 main/binary-arm64/Packages
`;

describe('parseRelease()', () => {
  it('reads date and digests of a bare Release file', () => {
    const release = parseRelease(BODY);
    expect(release.date).toBe(1789199741);
    expect(release.components).toEqual(['main', 'contrib']);
    expect([...release.digests]).toEqual([['main/binary-amd64/Packages', `sha256:${HEX}`]]);
  });

  it('reads only what the signature covers', () => {
    const other = 'cd'.repeat(32);
    const signed = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${BODY}-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\nSHA256:\n ${other} 1 main/binary-amd64/Packages\n`;
    expect(parseRelease(signed).digests.get('main/binary-amd64/Packages')).toBe(`sha256:${HEX}`);
    expect(parseRelease(signed).date).toBe(1789199741);
  });

  it('has no date where none can be read', () => {
    expect(parseRelease('Date: soon\n').date).toBeUndefined();
  });
});
