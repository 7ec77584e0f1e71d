import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostMachine } from '../../src/assemble/host-machine.ts';
import { hostParts } from '../../src/assemble/host-parts.ts';
import { unpackHost } from '../../src/assemble/unpack-host.ts';
import type { Entry } from '../../src/assemble/tree.ts';
import { digestOf } from '../../src/base/digest.ts';
import type { HostLibrary } from '../../src/recipe/recipe.ts';
import type { HostContent } from '../../src/resolve/resolution.ts';
import { toyHost, type ToyHost } from './host-disks.ts';
import { writeFileSync } from 'node:fs';

const PLACE = { file: 'recipe.yaml', line: 5, column: 7 };
const PYTHON = {
  interpreter: {
    version: '3.12.1',
    path: '/usr/local/bin/python3.12',
    glibc: '2.36',
    sitePath: '/usr/local/lib/python3.12/site-packages',
    prefix: '/usr/local',
    stdlib: '/usr/local/lib/python3.12',
  },
  program: '/usr/local/bin/python3.12',
  pip: undefined,
  folders: ['/usr/local/lib/python3.12', '/usr/local/lib/python3.12/site-packages'],
  files: ['/usr/local/bin/python3', '/usr/local/bin/python3.12'],
};

/** The layout of the official images, with a library in /usr/local/lib that only ld.so.conf leads to. */
const OFFICIAL = {
  lib: '-> usr/lib',
  lib64: '-> usr/lib64',
  'usr/lib64/ld-linux-x86-64.so.2': '-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2': {},
  'usr/lib/x86_64-linux-gnu/libc.so.6': {},
  'usr/lib/x86_64-linux-gnu/libunneeded.so.1': {},
  'usr/lib/x86_64-linux-gnu/libssl.so.3': { needed: ['libcrypto.so.3'] },
  'usr/lib/x86_64-linux-gnu/libcrypto.so.3': {},
  'usr/lib/aarch64-linux-gnu/libssl.so.3': { machine: 183 },
  'etc/ld.so.conf': '/usr/local/lib\n/opt/vendor/lib\n',
  'opt/vendor/lib/libvendor.so.1': {},
  'etc/os-release': '-> ../usr/lib/os-release',
  'usr/lib/os-release': 'ID=debian\n',
  'usr/local/bin/python3': '-> python3.12',
  'usr/local/bin/python3.12': {
    interpreter: '/lib64/ld-linux-x86-64.so.2',
    needed: ['libpython3.12.so.1.0', 'libc.so.6'],
  },
  'usr/local/lib/libpython3.12.so.1.0': {},
  'usr/local/lib/python3.12/os.py': 'x',
  'usr/local/lib/python3.12/test/test_os.py': 'x',
  'usr/local/lib/python3.12/lib-dynload/_tkinter.cpython-312-x86_64-linux-gnu.so': { needed: ['libtk8.6.so'] },
  'usr/local/lib/python3.12/lib-dynload/_dbm.cpython-312-x86_64-linux-gnu.so': { needed: ['libdb-5.3.so'] },
  'usr/local/lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so': { needed: ['libssl.so.3'] },
  'usr/local/lib/python3.12/site-packages/driver.so': { needed: ['libvendor.so.1'] },
  'usr/local/lib/python3.12/site-packages/editable.pth': '# no\nimport sys\n/home/me/src\nsub\n/nowhere\n',
  'usr/local/lib/python3.12/site-packages/sub/x.py': 'x',
  'home/me/src/mine.py': 'x',
  'srv/extra/module.py': 'x',
  'srv/extra/amd64.so': {},
};

const ALWAYS = [
  '/etc/ld.so.conf',
  '/etc/os-release',
  '/opt/vendor/lib/libvendor.so.1',
  '/usr/lib/os-release',
  '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  '/usr/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/x86_64-linux-gnu/libcrypto.so.3',
  '/usr/lib/x86_64-linux-gnu/libssl.so.3',
  '/usr/lib64/ld-linux-x86-64.so.2',
  '/usr/local/bin/python3',
  '/usr/local/bin/python3.12',
  '/usr/local/lib/libpython3.12.so.1.0',
  '/usr/local/lib/python3.12/lib-dynload/_dbm.cpython-312-x86_64-linux-gnu.so',
  '/usr/local/lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so',
  '/usr/local/lib/python3.12/os.py',
  '/usr/local/lib/python3.12/site-packages/driver.so',
  '/usr/local/lib/python3.12/site-packages/editable.pth',
  '/usr/local/lib/python3.12/site-packages/sub/x.py',
];

interface Collected {
  readonly content: HostContent;
  readonly warnings: readonly string[];
}

async function collect(
  host: ToyHost,
  paths: readonly HostLibrary['path'][],
  sonames?: readonly string[],
): Promise<Collected> {
  const warnings: string[] = [];
  const base = {
    kind: 'host',
    pythonPath: { amd64: '/usr/local/bin/python3' },
    libraries: paths.map((path) => ({ path, place: PLACE })),
    place: PLACE,
  } as const;
  const warn = (message: string): number => warnings.push(message);
  const request = {
    base,
    architecture: 'amd64',
    signal: undefined,
    python: PYTHON,
    wheels: [],
    sonames,
    warn,
  } as const;
  return { content: await hostMachine(host.disk, () => undefined).collect(request), warnings };
}

describe('hostMachine().collect', () => {
  it('takes for `auto` what the interpreter says, and the libraries that it all needs', async () => {
    using host = toyHost(OFFICIAL);
    const { content, warnings } = await collect(host, ['auto']);
    expect(content.files.map(({ path }) => path)).toEqual(ALWAYS);
    expect(content.folders).toEqual(PYTHON.folders);
    expect(warnings).toEqual([
      '`/home/me/src`: left out, though `/usr/local/lib/python3.12/site-packages/editable.pth` adds it to what can be imported; name it in python_lib_path if it is wanted',
      '`/usr/local/lib/python3.12/lib-dynload/_dbm.cpython-312-x86_64-linux-gnu.so`: left out, as it needs `libdb-5.3.so`, which this machine does not have',
    ]);
    expect(content.files).toContainEqual({ kind: 'left_out', path: ALWAYS[12] });
  });

  it('takes of a list what is for the architecture, and of library folders nothing more than is needed', async () => {
    using host = toyHost(OFFICIAL);
    const list = [
      '/usr/local/lib/python3.12',
      '/usr/local/lib/python3.12/site-packages',
      '/home/me/src',
      '/usr/lib/x86_64-linux-gnu',
    ].map((path) => ({ amd64: path, arm64: path }));
    const { content, warnings } = await collect(host, [...list, { arm64: '/srv/missing' }, { amd64: '/srv/ex*/*.py' }]);
    expect(content.files.map(({ path }) => path)).toEqual(
      [...ALWAYS, '/home/me/src/mine.py', '/srv/extra/module.py'].toSorted(),
    );
    expect(warnings).toHaveLength(1);
  });

  it('brings libraries by name, with what they need, and says which this machine does not have', async () => {
    using host = toyHost(OFFICIAL);
    const { content } = await collect(host, ['auto'], ['libunneeded.so.1']);
    expect(content.files.map(({ path }) => path)).toContain('/usr/lib/x86_64-linux-gnu/libunneeded.so.1');
    await expect(collect(host, ['auto'], ['libnone.so.1'])).rejects.toThrow(
      expect.objectContaining({
        code: 'E_LIBRARY_MISSING',
        message: '`libnone.so.1`: is not on this machine, for amd64',
      }),
    );
  });

  it('refuses a list without the standard library, at its place in the recipe', async () => {
    using host = toyHost(OFFICIAL);
    await expect(collect(host, [{ amd64: '/srv/extra' }])).rejects.toThrow(
      expect.objectContaining({
        code: 'E_HOST_FILE',
        place: PLACE,
        message:
          'base.host.python_lib_path: names nothing of `/usr/local/lib/python3.12`, the standard library of `/usr/local/bin/python3`',
      }),
    );
  });
});

describe('unpackHost()', () => {
  const sink = {
    write: async (chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) => {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
      const content = Buffer.concat(parts);
      return { digest: digestOf(content), size: content.length };
    },
  };

  it('gives parts that are like packages: one date, root’s, where a merged system has them', async () => {
    using host = toyHost(OFFICIAL);
    const { content } = await collect(host, ['auto']);
    const parts = hostParts(content);
    expect(parts.map(({ name, files }) => [name, files.length])).toEqual([
      ['this machine', 12],
      ['this machine: /usr/local/lib/python3.12', 2],
      ['this machine: /usr/local/lib/python3.12/site-packages', 3],
    ]);
    const entries: Entry[] = [];
    for (const part of parts) entries.push(...(await unpackHost({ part, disk: host.disk, sink })).entries);
    expect(entries.every(({ uid, gid, mtime }) => uid === 0 && gid === 0 && mtime === 315_532_800)).toBe(true);
    expect(entries.find(({ path }) => path === 'usr/local/bin/python3')).toMatchObject({
      kind: 'symlink',
      target: 'python3.12',
    });
    expect(entries.find(({ path }) => path === 'usr/local/bin/python3.12')).toMatchObject({
      kind: 'file',
      elf: { needed: ['libpython3.12.so.1.0', 'libc.so.6'] },
    });
  });

  it('moves files of a system that is not merged, and refuses one that has changed since it was locked', async () => {
    using host = toyHost({
      'lib/x86_64-linux-gnu/libc.so.6': '-> libc-2.31.so',
      'lib/x86_64-linux-gnu/libc-2.31.so': 'x',
    });
    const path = '/lib/x86_64-linux-gnu/libc-2.31.so';
    const files = [
      { kind: 'file', path, mode: 0o755, size: 1, digest: digestOf('x') },
      { kind: 'link', path: '/lib/x86_64-linux-gnu/libc.so.6', target: 'libc-2.31.so' },
    ] as const;
    const [part] = hostParts({ files, folders: [] });
    if (part === undefined) throw new Error('no part');
    const { entries } = await unpackHost({ part, disk: host.disk, sink });
    expect(entries.map((entry) => entry.path)).toEqual([
      'usr/lib/x86_64-linux-gnu/libc-2.31.so',
      'usr/lib/x86_64-linux-gnu/libc.so.6',
    ]);
    writeFileSync(join(host.root, path), 'y');
    await expect(unpackHost({ part, disk: host.disk, sink })).rejects.toThrow(
      expect.objectContaining({ code: 'E_HOST_CHANGED', message: `\`${path}\`: has another content than was locked` }),
    );
  });
});
