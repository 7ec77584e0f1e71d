import { describe, expect, it } from 'vitest';
import { assembleTree, type AssembleInput, type AssemblePart } from '../../src/assemble/assemble-tree.ts';
import { memorySource } from '../../src/assemble/byte-source.ts';
import type { Tree } from '../../src/assemble/tree.ts';
import { unpackArtifact } from '../../src/assemble/unpack-artifact.ts';
import type { DebArtifact } from '../../src/resolve/resolution.ts';
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
  const { tree, warnings } = await assembleTree({
    system: { architecture: 'amd64', suite: 'trixie', interpreter: undefined },
    epoch: EPOCH,
    parts,
    files: [],
    ownFiles: [],
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
  return { tree, warnings, text };
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
    const ownFiles = [{ path: '.rootcellar/manifest.json', mode: 0o644, content: Buffer.from('{}') }];
    const data = [{ name: './.rootcellar/manifest.json', content: 'evil' }];
    await expect(assemble([{ name: 'a', data }], { ownFiles })).rejects.toMatchObject({ code: 'E_FILE_CONFLICT' });
    expect((await assemble([], { ownFiles })).text('.rootcellar/manifest.json')).toBe('{}');
  });
});

function rivals(fields: string): readonly ToyDeb[] {
  return [
    { name: 'a', data: [{ name: './x', content: '1' }] },
    { name: 'b', data: [{ name: './x', content: '2' }], fields },
  ];
}
