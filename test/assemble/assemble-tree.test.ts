import { describe, expect, it } from 'vitest';
import { assembleTree, type AssembleInput, type AssemblePart } from '../../src/assemble/assemble-tree.ts';
import { memorySource } from '../../src/assemble/byte-source.ts';
import type { Tree } from '../../src/assemble/tree.ts';
import { unpackArtifact } from '../../src/assemble/unpack-artifact.ts';
import type { Trimmed } from '../../src/assemble/trim-image.ts';
import type { RecipeFile } from '../../src/recipe/recipe.ts';
import type { DebArtifact } from '../../src/resolve/resolution.ts';
import { elfFile } from './elf-files.ts';
import { memoryStore, rawAr, rawTar, type RawTarMember } from './raw-archives.ts';

const EPOCH = 1_700_000_100;

interface ToyDeb {
  readonly name: string;
  readonly data: readonly RawTarMember[];
  readonly fields?: string;
  readonly scripts?: readonly RawTarMember[];
}

interface Assembled {
  readonly tree: Tree;
  readonly warnings: readonly string[];
  readonly trimmed: Trimmed | undefined;
  readonly text: (path: string) => string;
}

async function assemble(debs: readonly ToyDeb[], options: Partial<AssembleInput> = {}): Promise<Assembled> {
  const store = memoryStore();
  const parts = await Promise.all(
    debs.map(async (deb): Promise<AssemblePart> => {
      const bytes = debOf(deb);
      const artifact: DebArtifact = {
        kind: 'deb',
        name: deb.name,
        version: '1.0',
        architecture: 'all',
        suite: 'trixie',
        path: `pool/${deb.name}_1.0_all.deb`,
        size: bytes.length,
        digest: `sha256:${'0'.repeat(64)}`,
        depends: [],
      };
      const input = { artifact, source: memorySource(bytes), interpreter: undefined, sink: store };
      return { artifact, unpacked: await unpackArtifact(input), bytecode: undefined };
    }),
  );
  const { tree, warnings, trimmed } = await assembleTree({
    system: { architecture: 'amd64', suite: 'trixie', interpreter: undefined },
    epoch: EPOCH,
    parts,
    files: [],
    ownFiles: () => [],
    contents: store,
    sink: store,
    sharedObjects: [],
    allowMissing: [],
    packagesOf: async () => new Map(),
    ...options,
  });
  const text = (path: string): string => {
    const entry = tree.get(path);
    return entry?.kind === 'file' ? store.text(entry.digest) : `no file ${path}`;
  };
  return { tree, warnings, trimmed, text };
}

function ownFiles(): readonly RecipeFile[] {
  return [{ path: '.rootcellar/manifest.json', mode: 0o644, content: Buffer.from('{}') }];
}

function debOf({ name, data, fields = '', scripts = [] }: ToyDeb): Buffer {
  const control = `Package: ${name}\nVersion: 1.0\nArchitecture: all\n${fields}`;
  return rawAr([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar', rawTar([{ name: 'control', content: control }, ...scripts])],
    ['data.tar', rawTar(data)],
  ]);
}

describe('assembleTree()', () => {
  it('gives an image of nothing its folders, links and accounts', async () => {
    const { tree, text, warnings } = await assemble([]);
    expect(warnings).toEqual([]);
    expect(tree.get('lib64')).toMatchObject({ kind: 'symlink', target: 'usr/lib64' });
    expect(tree.get('tmp')).toMatchObject({ kind: 'directory', mode: 0o1777, mtime: EPOCH });
    expect(tree.get('etc/machine-id')).toMatchObject({ size: 0 });
    expect(text('etc/passwd')).toBe(
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    );
    expect(text('usr/lib/os-release')).toContain('VERSION_ID="13"\n');
    expect(tree.has('etc/localtime')).toBe(false);
    expect(tree.has('etc/ssl/certs/ca-certificates.crt')).toBe(false);
    expect(tree.has('etc/ld.so.cache')).toBe(false);
  });

  it('has no /lib64 on arm64', async () => {
    const { tree } = await assemble([], { system: { architecture: 'arm64', suite: 'sid', interpreter: undefined } });
    expect(tree.has('lib64')).toBe(false);
    expect(tree.has('lib')).toBe(true);
  });

  it('makes the folder in which Python looks for modules', async () => {
    const interpreter = {
      version: '3.13.5',
      path: '/usr/bin/python3.13',
      glibc: '2.41',
      sitePath: '/usr/local/s',
      prefix: '/usr/local',
    };
    const { tree } = await assemble([], { system: { architecture: 'amd64', suite: 'trixie', interpreter } });
    expect(tree.get('usr/local/s')).toMatchObject({ kind: 'directory', mode: 0o755 });
  });

  it('keeps what packages bring, and lets the recipe win over it', async () => {
    const data = [
      { name: './etc/hosts', content: 'theirs' },
      { name: './etc/nsswitch.conf', content: 'theirs' },
    ];
    const files = [{ path: 'etc/nsswitch.conf', mode: 0o600, content: Buffer.from('ours') }];
    const { text, tree } = await assemble([{ name: 'a', data }], { files });
    expect(text('etc/hosts')).toBe('theirs');
    expect(text('etc/nsswitch.conf')).toBe('ours');
    expect(tree.get('etc/nsswitch.conf')).toMatchObject({ mode: 0o600, mtime: EPOCH });
  });

  it('puts a recipe file for /lib where the link leads', async () => {
    const files = [{ path: 'lib/x', mode: 0o644, content: Buffer.from('x') }];
    expect((await assemble([], { files })).tree.has('usr/lib/x')).toBe(true);
  });

  it('joins the certificates in byte order, each with a line end', async () => {
    const data = [
      { name: './usr/share/ca-certificates/mozilla/b.crt', content: 'B\n' },
      { name: './usr/share/ca-certificates/mozilla/a.crt', content: 'A' },
      { name: './usr/share/ca-certificates/mozilla/README', content: 'no' },
    ];
    const { text, tree } = await assemble([{ name: 'ca-certificates', data }]);
    expect(text('etc/ssl/certs/ca-certificates.crt')).toBe('A\nB\n');
    expect(tree.get('usr/lib/ssl/cert.pem')).toMatchObject({ target: '/etc/ssl/certs/ca-certificates.crt' });
  });

  it('does for known packages what their scripts would have done, and names the scripts of others', async () => {
    const postinst = { name: 'postinst', content: '#!/bin/sh\nmake-things\n' };
    const { tree, warnings, text } = await assemble([
      { name: 'tzdata', data: [{ name: './usr/share/zoneinfo/Etc/UTC', content: 'x' }], scripts: [postinst] },
      {
        name: 'readline-common',
        data: [{ name: './usr/share/readline/inputrc', content: 'set x\n' }],
        scripts: [postinst],
      },
      { name: 'mawk', data: [{ name: './usr/bin/mawk', content: 'x' }], scripts: [postinst] },
      { name: 'odd', data: [], scripts: [postinst, { name: 'prerm', content: 'x' }] },
    ]);
    expect(tree.get('etc/localtime')).toMatchObject({ target: '/usr/share/zoneinfo/Etc/UTC' });
    expect(text('etc/inputrc')).toBe('set x\n');
    expect(tree.get('usr/bin/awk')).toMatchObject({ target: '/etc/alternatives/awk' });
    expect(tree.get('etc/alternatives/awk')).toMatchObject({ target: '/usr/bin/mawk' });
    expect(warnings).toEqual(['odd: its `postinst` was not run, and nothing is known to stand in for it']);
  });

  it('takes the accounts of base-passwd', async () => {
    const folder = './usr/share/base-passwd';
    const data = [
      { name: `${folder}/passwd.master`, content: 'root:*:0:0:root:/root:/bin/bash\n' },
      { name: `${folder}/group.master`, content: 'root:*:0:\n' },
    ];
    const { text } = await assemble([{ name: 'base-passwd', data }]);
    expect(text('etc/passwd')).toBe('root:*:0:0:root:/root:/bin/bash\n');
  });

  it('records each package for scanners', async () => {
    const { text } = await assemble([{ name: 'toy', data: [] }]);
    expect(text('var/lib/dpkg/status.d/toy')).toBe('Package: toy\nVersion: 1.0\nArchitecture: all\n');
  });

  it('lets no time exceed the epoch, and gives folders the newest time inside', async () => {
    const data = [
      { name: './opt/', type: '5', mtime: 9 },
      { name: './opt/old', mtime: 7 },
      { name: './opt/in/older', mtime: 5 },
      { name: './srv/future', mtime: EPOCH + 10 },
    ];
    const { tree } = await assemble([{ name: 'a', data }]);
    const times = ['opt', 'opt/old', 'opt/in', 'srv', 'srv/future', 'var/tmp'].map((path) => tree.get(path)?.mtime);
    expect(times).toEqual([7, 7, 5, EPOCH, EPOCH, EPOCH]);
  });

  it('gives one tree for any order of packages', async () => {
    const debs = ['a', 'b', 'c'].map((name) => ({ name, data: [{ name: `./usr/share/${name}`, content: name }] }));
    const [one, other] = [await assemble(debs), await assemble(debs.toReversed())];
    expect([...other.tree]).toEqual([...one.tree]);
  });

  it('refuses two packages with different files for one path, unless one replaces the other', async () => {
    await expect(assemble(rivals(''))).rejects.toMatchObject({ code: 'E_FILE_CONFLICT' });
    expect((await assemble(rivals('Replaces: a (<< 2.0)\n'))).text('x')).toBe('2');
  });

  it('lets nobody else write what is ours', async () => {
    const data = [{ name: './.rootcellar/manifest.json', content: 'evil' }];
    await expect(assemble([{ name: 'a', data }], { ownFiles })).rejects.toMatchObject({ code: 'E_FILE_CONFLICT' });
    expect((await assemble([], { ownFiles })).text('.rootcellar/manifest.json')).toBe('{}');
  });
});

describe('assembleTree() with trim', () => {
  const library = './usr/lib/x86_64-linux-gnu';
  const site = './usr/lib/python3/dist-packages';

  it('takes what comes from packages, and keeps the folders of every image and what the recipe brings', async () => {
    const data = [
      { name: './usr/local/bin/tool', content: 'x' },
      { name: './var/log/a.log', content: 'y' },
      { name: './usr/share/man/man1/a.1', content: 'z' },
    ];
    const files = [{ path: 'usr/share/man/mine', mode: 0o644, content: Buffer.from('mine') }];
    const trim = ['/usr/local', '/var/log/*', 'man'];
    const { tree, trimmed } = await assemble([{ name: 'a', data }], { trim, files });
    expect(tree.get('usr/local/bin')).toMatchObject({ kind: 'directory', mode: 0o755 });
    expect(tree.get('var/log')).toMatchObject({ kind: 'directory', mtime: EPOCH });
    expect(tree.has('usr/share/man/man1')).toBe(false);
    expect(tree.has('usr/share/man/mine')).toBe(true);
    expect([...(trimmed?.packages ?? [])]).toEqual([['a 1.0', 3]]);
    expect(trimmed?.rules.map(({ rule, files: count }) => [rule, count])).toEqual([
      ['man', 1],
      ['/usr/local', 1],
      ['/var/log/*', 1],
    ]);
  });

  it('makes the certificates of what is trimmed afterwards, and tells the manifest', async () => {
    const data = [{ name: './usr/share/ca-certificates/mozilla/a.crt', content: 'A' }];
    const told: unknown[] = [];
    const { text } = await assemble([{ name: 'ca-certificates', data }], {
      trim: ['/usr/share/ca-certificates'],
      ownFiles: (trimmed) => {
        told.push(trimmed?.rules);
        return [];
      },
    });
    expect(text('etc/ssl/certs/ca-certificates.crt')).toBe('A\n');
    expect(told).toEqual([[{ rule: '/usr/share/ca-certificates', files: 1, bytes: 1 }]]);
  });

  it('shortens the RECORD of a Python package that loses files', async () => {
    const record = 'p-1.dist-info/RECORD,,\np/__init__.py,sha256=a,0\np/tests/t.py,sha256=b,1\n../../../bin/p,,\n';
    const data = [
      { name: `${site}/p-1.dist-info/RECORD`, content: record, mtime: 5 },
      { name: `${site}/p/__init__.py`, content: '' },
      { name: `${site}/p/tests/t.py`, content: '1' },
      { name: './usr/bin/p', content: '#!' },
    ];
    const path = 'usr/lib/python3/dist-packages/p-1.dist-info/RECORD';
    const { text, tree } = await assemble([{ name: 'p', data }], { trim: ['tests', '/usr/bin/p'] });
    expect(text(path)).toBe('p-1.dist-info/RECORD,,\np/__init__.py,sha256=a,0\n');
    expect(tree.get(path)).toMatchObject({ mtime: 5, origin: 'p 1.0' });
    expect((await assemble([{ name: 'p', data }], { trim: ['man'] })).text(path)).toBe(record);
  });

  it('names the rule that takes a library which something needs', async () => {
    const data = [
      { name: './usr/bin/tool', content: elfFile({ needed: ['liba.so.1'] }) },
      { name: `${library}/liba.so.1.2`, content: elfFile({ soname: 'liba.so.1' }) },
      { name: `${library}/liba.so.1`, type: '2', target: 'liba.so.1.2' },
    ];
    expect((await assemble([{ name: 'a', data }])).warnings).toEqual([]);
    await expect(assemble([{ name: 'a', data }], { trim: ['/usr/lib/**/liba.so.1.*'] })).rejects.toMatchObject({
      code: 'E_LIBRARY_MISSING',
      message: expect.stringContaining('`liba.so.1`: is needed by `/usr/bin/tool`'),
      hint: '`trim` takes it: add "!/usr/lib/x86_64-linux-gnu/liba.so.1*" to `trim`',
    });
  });

  it('does not take what the interpreter needs to start', async () => {
    const interpreter = {
      version: '3.13.5',
      path: '/usr/bin/python3.13',
      glibc: '2.41',
      sitePath: '/usr/local/s',
      prefix: '/usr/local',
    };
    const data = [
      { name: './usr/bin/python3.13', content: elfFile({}) },
      { name: './usr/lib/python3.13/encodings/__init__.py', content: '' },
      { name: './usr/lib/python3.13/encodings/cp037.py', content: '' },
      { name: './usr/lib/python3.13/site.py', content: '' },
    ];
    const system = { architecture: 'amd64', suite: 'trixie', interpreter } as const;
    const trimming = (trim: readonly string[]) => assemble([{ name: 'a', data }], { system, trim });
    expect((await trimming(['/usr/lib/**/cp*.py'])).tree.has('usr/lib/python3.13/encodings/cp037.py')).toBe(false);
    await expect(trimming(['/usr/lib/**/encodings'])).rejects.toMatchObject({
      code: 'E_TRIM',
      message:
        'trim: `/usr/lib/**/encodings` takes `/usr/lib/python3.13/encodings/__init__.py`, without which `/usr/bin/python3.13` does not start',
      hint: 'add "!/usr/lib/python3.13/encodings/__init__.py" to `trim`',
    });
    await expect(trimming(['/usr/bin/*'])).rejects.toMatchObject({ code: 'E_TRIM' });
  });

  it('warns of a glob that meets nothing', async () => {
    expect((await assemble([], { trim: ['/opt/x', 'docs'] })).warnings).toEqual(['trim: `/opt/x` meets nothing']);
  });
});

function rivals(fields: string): readonly ToyDeb[] {
  return [
    { name: 'a', data: [{ name: './x', content: '1' }] },
    { name: 'b', data: [{ name: './x', content: '2' }], fields },
  ];
}
