import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import type { DebArtifact } from '../../src/resolve/resolution.ts';
import { downloadError } from '../../src/store/download-failure.ts';

const DEB: DebArtifact = {
  kind: 'deb',
  name: 'zlib1g',
  version: '1:1.3',
  architecture: 'amd64',
  suite: 'trixie',
  path: 'pool/main/z/zlib/zlib1g_1.3_amd64.deb',
  size: 7,
  digest: digestOf('zlib1g'),
  depends: [],
};
const GONE = { kind: 'gone', url: 'https://u:p@a.invalid/x?k=1', detail: 'the server answered 404' } as const;
const BROKEN = { kind: 'transient', url: 'https://b.invalid/x', detail: 'other side closed' } as const;
const WRONG = { kind: 'mismatch', url: 'https://u:p@c.invalid/x', expected: '7 bytes', got: '8 bytes' } as const;

describe('downloadError()', () => {
  it('is E_DOWNLOAD_GONE only when every address says so', () => {
    expect(downloadError(DEB, [GONE, GONE])).toMatchObject({
      code: 'E_DOWNLOAD_GONE',
      message:
        'deb `zlib1g_1.3_amd64.deb`: is not there any more: ' +
        '`https://a.invalid/x` (the server answered 404), `https://a.invalid/x` (the server answered 404)',
      hint: 'rootcellar lock --upgrade-package zlib1g',
    });
    expect(downloadError(DEB, [GONE, BROKEN])).toMatchObject({
      code: 'E_DOWNLOAD',
      message: expect.stringContaining('`https://b.invalid/x` (other side closed)'),
      hint: 'run it again: what has come is kept',
    });
  });

  it('tells of wrong bytes before everything else', () => {
    expect(downloadError(DEB, [GONE, WRONG, BROKEN])).toMatchObject({
      code: 'E_DIGEST_MISMATCH',
      message: 'deb `zlib1g_1.3_amd64.deb`: expected 7 bytes, got 8 bytes from `https://c.invalid/x`',
    });
  });
});
