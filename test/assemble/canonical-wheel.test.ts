import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { canonicalWheel, wheelMetadata, type CanonicalWheel } from '../../src/assemble/canonical-wheel.ts';
import { openZip, readZipEntry } from '../../src/assemble/zip-reader.ts';
import { digestOf } from '../../src/base/digest.ts';
import { rawZip, type RawZipEntry } from './raw-archives.ts';

const METADATA = 'Metadata-Version: 2.1\nName: My.Lib\nVersion: 1.0\n';
const WHEEL = 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n';
const FILES: readonly RawZipEntry[] = [
  { name: 'my_lib/__init__.py', content: 'x = 1\n', mode: 0o100600 },
  { name: 'my_lib/run.sh', content: '#!/bin/sh\n', mode: 0o100711 },
  { name: 'my_lib/' },
  { name: 'my_lib/__pycache__/__init__.cpython-313.pyc', content: 'junk' },
  { name: 'my_lib-1.0.dist-info/METADATA', content: METADATA },
  { name: 'my_lib-1.0.dist-info/WHEEL', content: WHEEL },
  { name: 'my_lib-1.0.dist-info/RECORD', content: 'lies' },
  { name: 'my_lib-1.0.dist-info/RECORD.jws', content: 'signed lies' },
];

interface Change {
  readonly file?: string;
  readonly files?: readonly RawZipEntry[];
  readonly content?: Uint8Array;
}

async function rewrite({
  file = 'my_lib-1.0-py3-none-any.whl',
  files = FILES,
  content,
}: Change): Promise<CanonicalWheel> {
  const tags = new Set(['py3-none-any', 'cp313-cp313-linux_x86_64']);
  return await canonicalWheel({ file, content: content ?? rawZip(files), name: 'my-lib', version: '1.0', tags });
}

function withText(name: string, content: string): readonly RawZipEntry[] {
  return FILES.map((entry) => (entry.name === `my_lib-1.0.dist-info/${name}` ? { ...entry, content } : entry));
}

describe('canonicalWheel()', () => {
  it('sorts, writes RECORD anew, and drops bytecode and signatures', async () => {
    const { content, metadata, version } = await rewrite({});
    const zip = await openZip(memorySource(content), 'x.whl');
    expect(zip.entries.map(({ name, mode }) => `${name} ${(mode ?? 0).toString(8)}`)).toEqual([
      'my_lib-1.0.dist-info/METADATA 644',
      'my_lib-1.0.dist-info/RECORD 644',
      'my_lib-1.0.dist-info/WHEEL 644',
      'my_lib/__init__.py 644',
      'my_lib/run.sh 755',
    ]);
    const record = zip.entries.find(({ name }) => name.endsWith('/RECORD'));
    if (record === undefined) throw new Error('no RECORD');
    const text = Buffer.from(await readZipEntry(zip, record)).toString();
    expect(text).toContain('my_lib/__init__.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\n');
    expect(text).toContain('my_lib-1.0.dist-info/RECORD,,\n');
    expect(text).not.toContain('pyc');
    expect({ metadata, version }).toEqual({ metadata: METADATA, version: '1.0' });
    expect(await wheelMetadata(memorySource(content), 'x.whl')).toBe(METADATA);
  });

  it('gives equal bytes for equal files, whatever their order, compression and modes were', async () => {
    const one = await rewrite({});
    const other = await rewrite({ files: FILES.toReversed().map((entry) => Object.assign({ method: 0 }, entry)) });
    expect(digestOf(other.content)).toBe(digestOf(one.content));
  });

  it.each<[string, Change, RegExp]>([
    ['another project', { files: withText('METADATA', METADATA.replace('My.Lib', 'other')) }, /not `my-lib 1.0`/],
    ['another version', { files: withText('METADATA', METADATA.replace('1.0', '1.1')) }, /not `my-lib 1.0`/],
    ['a file name of another project', { file: 'other-1.0-py3-none-any.whl' }, /not `my-lib 1.0`/],
    ['a file name that is none', { file: '../my_lib-1.0-py3-none-any.whl' }, /not the name of a wheel/],
    ['tags that the image does not have', tagged('cp312-cp312-win32'), /do not fit/],
    ['tags that differ from its name', { file: 'my_lib-1.0-cp313-cp313-linux_x86_64.whl' }, /other tags/],
    ['no METADATA', { files: FILES.filter(({ name }) => !String(name).endsWith('METADATA')) }, /has no METADATA/],
    ['no WHEEL', { files: FILES.filter(({ name }) => !String(name).endsWith('WHEEL')) }, /has no WHEEL/],
    ['another wheel format', { files: withText('WHEEL', WHEEL.replace('1.0', '2.0')) }, /Wheel-Version/],
    ['a path that leaves it', { files: [...FILES, { name: '../../etc/cron.d/x', content: 'x' }] }, /not acceptable/],
    [
      'a symbolic link',
      { files: [...FILES, { name: 'my_lib/l', content: '/etc', mode: 0o120777 }] },
      /link or special/,
    ],
    ['what is no zip', { content: Buffer.from('junk') }, /not a zip/],
    [
      'a file that is larger than it says',
      { files: [...FILES, { name: 'a', content: 'xx', size: 1 }] },
      /damaged|size/,
    ],
  ])('refuses %s', async (_, change, fault) => {
    await expect(rewrite(change)).rejects.toMatchObject({
      code: 'E_ARTIFACT_INVALID',
      message: expect.stringMatching(fault),
    });
  });
});

function tagged(tag: string): Change {
  return { file: `my_lib-1.0-${tag}.whl`, files: withText('WHEEL', WHEEL.replace('py3-none-any', tag)) };
}
