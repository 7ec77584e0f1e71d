import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import type { Entry } from '../../src/assemble/tree.ts';
import { installWheel } from '../../src/assemble/wheel-installer.ts';
import type { Interpreter } from '../../src/resolve/resolution.ts';
import { memoryStore, rawWheel, type RawWheel } from './raw-archives.ts';

const INTERPRETER: Interpreter = {
  version: '3.13.5',
  path: '/usr/bin/python3.13',
  glibc: '2.41',
  sitePath: '/usr/local/lib/python3.13/dist-packages',
  prefix: '/usr/local',
};
const SITE = 'usr/local/lib/python3.13/dist-packages';
const INFO = `${SITE}/toy-1.0.dist-info`;

interface Installed {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly text: (path: string) => string;
  readonly metadata: string;
}

async function install(wheel: RawWheel, version = '1.0'): Promise<Installed> {
  const store = memoryStore();
  const bytes = rawWheel(wheel);
  const artifact = {
    kind: 'wheel',
    name: 'toy',
    version,
    file: 'toy-1.0-py3-none-any.whl',
    size: bytes.length,
    digest: `sha256:${'0'.repeat(64)}`,
    uploaded: undefined,
  } as const;
  const source = memorySource(bytes);
  const unpacked = await installWheel({ artifact, source, interpreter: INTERPRETER, sink: store });
  const entries = new Map(unpacked.entries.map((entry) => [entry.path, entry]));
  const text = (path: string): string => {
    const entry = entries.get(path);
    return entry?.kind === 'file' ? store.text(entry.digest) : `no file ${path}`;
  };
  return { entries, text, metadata: unpacked.metadata };
}

const HOSTILE: readonly (readonly [string, RawWheel, string])[] = [
  ['a path out of the folder', { files: [{ name: '../../evil' }] }, 'the name "../../evil" is not acceptable'],
  ['an absolute path', { files: [{ name: '/etc/evil' }] }, 'the name "/etc/evil" is not acceptable'],
  ['a symbolic link', { files: [{ name: 'a', content: '/etc', mode: 0o120777 }] }, '`a` is a link or special file'],
  ['a file twice', { files: [{ name: 'a' }, { name: 'a' }] }, '`a` comes twice'],
  ['a script out of the folder', { files: [{ name: 'toy-1.0.data/scripts/../../x' }] }, 'is not acceptable'],
  ['an unknown scheme', { files: [{ name: 'toy-1.0.data/etc/x' }] }, 'belongs to no known scheme'],
  ['a file right in .data', { files: [{ name: 'toy-1.0.data/x' }] }, 'belongs to no known scheme'],
  [
    'two files for one place',
    {
      files: [
        { name: 'a', content: 'x' },
        { name: 'toy-1.0.data/purelib/a', content: 'y' },
      ],
    },
    `it brings \`/${SITE}/a\` twice`,
  ],
  [
    'a hash that does not match',
    { files: [{ name: 'a', content: 'x' }], record: (lines) => ['a,sha256=AAAA,1', ...lines.slice(1)] },
    '`a` does not match its hash in RECORD',
  ],
  [
    'a size that does not match',
    { files: [{ name: 'a', content: 'x' }], record: (lines) => lines.map((line) => line.replace(/,1$/, ',2')) },
    '`a` does not match its size in RECORD',
  ],
  [
    'a weak hash',
    { files: [{ name: 'a', content: 'x' }], record: (lines) => ['a,md5=nQ4nZMDVRY2r1Wtc8fbxdQ,1', ...lines.slice(1)] },
    'RECORD has no acceptable hash of `a`',
  ],
  [
    'a file without a hash',
    { files: [{ name: 'a' }], record: (lines) => ['a,,', ...lines.slice(1)] },
    'RECORD has no acceptable hash of `a`',
  ],
  [
    'a file that RECORD does not list',
    { unlisted: [{ name: 'sitecustomize.py' }] },
    '`sitecustomize.py` is not in RECORD',
  ],
  [
    'a lost file',
    { record: (lines) => ['gone.py,sha256=AAAA,1', ...lines] },
    '`gone.py` is in RECORD but not in the wheel',
  ],
  ['a RECORD of two columns', { record: () => ['a,b'] }, 'has not three columns'],
  ['a RECORD with a path twice', { record: (lines) => [...lines, ...lines] }, 'twice'],
  ['a wheel of a later format', { wheel: 'Wheel-Version: 2.0\n' }, 'its Wheel-Version is `2.0`, not 1'],
  ['another version', { version: '1.1' }, 'it is `toy 1.1`, not `toy 1.0` as locked'],
  ['another name', { name: 'evil' }, 'it is `evil 1.0`, not `toy 1.0` as locked'],
  ['two .dist-info folders', { files: [{ name: 'b-1.dist-info/METADATA' }] }, 'not just one `.dist-info`'],
  ['a command with a path', { entryPoints: '[console_scripts]\n../x = a:b\n' }, 'is not acceptable'],
  ['a command that is a folder', { entryPoints: '[console_scripts]\n.. = a:b\n' }, 'is not acceptable'],
  ['a command that smuggles code in', { entryPoints: '[console_scripts]\nx = os:system("id")\n' }, 'is not acceptable'],
];

describe('installWheel()', () => {
  it('puts modules, data, headers and scripts where the scheme says', async () => {
    const { entries } = await install({
      files: [
        { name: 'toy/__init__.py' },
        { name: 'toy-1.0.data/platlib/toy/fast.so', content: 'x' },
        { name: 'toy-1.0.data/data/share/toy.txt', content: 'x' },
        { name: 'toy-1.0.data/headers/toy.h', content: 'x' },
        { name: 'toy-1.0.data/scripts/toy.sh', content: '#!/bin/sh\n' },
      ],
    });
    expect([...entries.keys()]).toEqual([
      'usr/local/bin/toy.sh',
      'usr/local/include/python3.13/toy/toy.h',
      `${INFO}/INSTALLER`,
      `${INFO}/METADATA`,
      `${INFO}/RECORD`,
      `${INFO}/WHEEL`,
      `${SITE}/toy/__init__.py`,
      `${SITE}/toy/fast.so`,
      'usr/local/share/toy.txt',
    ]);
  });

  it('gives files 0644, scripts and executable files 0755, all to root', async () => {
    const { entries } = await install({
      files: [
        { name: 'toy/a.py', mode: 0o100600 },
        { name: 'toy/tool', mode: 0o104755 },
        { name: 'toy-1.0.data/scripts/toy', mode: 0o100600 },
      ],
    });
    expect(entries.get(`${SITE}/toy/a.py`)).toMatchObject({ mode: 0o644, uid: 0, gid: 0, origin: 'toy 1.0' });
    expect(entries.get(`${SITE}/toy/tool`)?.mode).toBe(0o755);
    expect(entries.get('usr/local/bin/toy')?.mode).toBe(0o755);
  });

  it('writes a program for each console and gui script', async () => {
    const entryPoints =
      '[console_scripts]\ntoy = toy.cli:Main.run [extra]\n\n[other]\nx = !\n[gui_scripts]\nview=toy:view\n';
    const { entries, text } = await install({ entryPoints });
    expect(text('usr/local/bin/toy')).toBe(
      "#!/usr/bin/python3.13\nimport sys\n\nfrom toy.cli import Main\n\nif __name__ == '__main__':\n    sys.exit(Main.run())\n",
    );
    expect(entries.get('usr/local/bin/view')?.mode).toBe(0o755);
    expect(entries.has('usr/local/bin/x')).toBe(false);
  });

  it('names the interpreter in scripts that say `#!python`, and in no others', async () => {
    const { text } = await install({
      files: [
        { name: 'toy-1.0.data/scripts/a', content: '#!python -E\nprint()\n' },
        { name: 'toy-1.0.data/scripts/b', content: '#!pythonw\n' },
        { name: 'toy-1.0.data/scripts/c', content: '#!python2\n' },
        { name: 'toy/d.py', content: '#!python\n' },
      ],
    });
    expect(text('usr/local/bin/a')).toBe('#!/usr/bin/python3.13 -E\nprint()\n');
    expect(text('usr/local/bin/b')).toBe('#!/usr/bin/python3.13\n');
    expect(text('usr/local/bin/c')).toBe('#!python2\n');
    expect(text(`${SITE}/toy/d.py`)).toBe('#!python\n');
  });

  it('writes RECORD anew: installed paths, their hashes, in byte order, with INSTALLER and itself', async () => {
    const { text } = await install({
      files: [{ name: 'toy-1.0.data/scripts/a', content: 'x' }, { name: 'z,y.py' }],
      record: (lines) => lines.map((line) => line.replace('z,y.py', '"z,y.py"')),
    });
    const empty = 'sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0';
    expect(text(`${INFO}/INSTALLER`)).toBe('rootcellar\n');
    expect(text(`${INFO}/RECORD`).split('\n')).toEqual([
      '../../../bin/a,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1',
      expect.stringMatching(/^toy-1\.0\.dist-info\/INSTALLER,sha256=.{43},11$/),
      expect.stringMatching(/^toy-1\.0\.dist-info\/METADATA,sha256=.{43},45$/),
      'toy-1.0.dist-info/RECORD,,',
      expect.stringMatching(/^toy-1\.0\.dist-info\/WHEEL,sha256=.{43},41$/),
      `"z,y.py",${empty}`,
      '',
    ]);
  });

  it('leaves compiled Python out, also of RECORD', async () => {
    const { entries, text } = await install({
      files: [
        { name: 'toy/__pycache__/a.cpython-313.pyc', content: 'x' },
        { name: 'toy/b.pyc', content: 'x' },
      ],
    });
    expect([...entries.keys()].filter((path) => path.includes('pyc'))).toEqual([]);
    expect(text(`${INFO}/RECORD`)).not.toContain('pyc');
  });

  it('takes two spellings of one version for one', async () => {
    expect((await install({ version: '1.0' }, '1.0.0')).metadata).toContain('Version: 1.0\n');
  });

  it.each(HOSTILE)('refuses %s', async (_, wheel, message) => {
    await expect(install(wheel)).rejects.toThrow(
      expect.objectContaining({ code: 'E_ARTIFACT_INVALID', message: expect.stringContaining(message) }),
    );
  });
});
