import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cachedLibraries, formatLdSoCache, libraryOrder } from '../../src/assemble/ld-so-cache.ts';
import type { ElfFacts } from '../../src/assemble/tree.ts';
import { elfFacts, treeFromDisk, treeOf } from './elf-trees.ts';
import { skipWithout } from '../support/skip-without.ts';

function libraries(files: Readonly<Record<string, ElfFacts | string>>): string[] {
  return cachedLibraries({ ...treeOf(files), architecture: 'amd64' }).map(({ soname, path }) => `${soname} ${path}`);
}

const Z = elfFacts({ soname: 'libz.so.1' });
const MERGED = { lib: '-> usr/lib', lib64: '-> usr/lib64' };

describe('cachedLibraries()', () => {
  it('enters a library by its soname, through the first name of its folder', () => {
    const files = {
      ...MERGED,
      'usr/lib/x86_64-linux-gnu/libz.so.1.3': Z,
      'usr/lib/x86_64-linux-gnu/libz.so.1': '-> libz.so.1.3',
    };
    expect(libraries(files)).toEqual(['libz.so.1 /lib/x86_64-linux-gnu/libz.so.1']);
  });

  it('enters the link for compilers under its own name', () => {
    expect(
      libraries({ 'usr/lib/libz.so.1.3': Z, 'usr/lib/libz.so.1': '-> libz.so.1.3', 'usr/lib/libz.so': '-> libz.so.1' }),
    ).toEqual(['libz.so.1 /usr/lib/libz.so.1', 'libz.so /usr/lib/libz.so']);
  });

  it('leads to the file itself where the link from the soname is missing', () => {
    expect(libraries({ 'usr/lib/libz.so.1.3': Z, 'usr/lib/libz.so.1.10': Z })).toEqual([
      'libz.so.1 /usr/lib/libz.so.1.10',
    ]);
    expect(libraries({ 'usr/lib/libz.so.1.2': Z, 'usr/lib/libz.so.1.9': Z })).toEqual([
      'libz.so.1 /usr/lib/libz.so.1.9',
    ]);
  });

  it('takes the file name for the soname of a library that has none', () => {
    expect(libraries({ 'usr/lib/libplain.so': elfFacts() })).toEqual(['libplain.so /usr/lib/libplain.so']);
  });

  it('leaves out other machines, static files, other names, dangling links and subfolders', () => {
    expect(
      libraries({
        'usr/lib/libarm.so.1': elfFacts({ machine: 183 }),
        'usr/lib/libstatic.so': elfFacts({ dynamic: false }),
        'usr/lib/plugin.so': elfFacts(),
        'usr/lib/libtext.so': 'INPUT(libz.so.1)',
        'usr/lib/libgone.so': '-> nowhere',
        'usr/lib/glibc-hwcaps/x86-64-v3/libz.so.1': Z,
      }),
    ).toEqual([]);
  });

  it('visits the folders of ld.so.conf first, through includes that match in byte order', () => {
    const files = {
      'etc/ld.so.conf': '# comment\ninclude ld.so.conf.d/*.conf\n/opt/last/ # comment\ninclude /etc/ld.so.conf\n',
      'etc/ld.so.conf.d/b.conf': '/opt/b\n',
      'etc/ld.so.conf.d/a.conf': '/opt/a=libc6\nrelative\n',
      'etc/ld.so.conf.d/c.txt': '/opt/never\n',
      'opt/a/libz.so.1': Z,
      'opt/b/libz.so.1': Z,
      'opt/last/libz.so.1': Z,
      'opt/never/libz.so.1': Z,
      'usr/lib/libz.so.1': Z,
    };
    const folders = ['/opt/a', '/opt/b', '/opt/last', '/usr/lib'];
    expect(libraries(files)).toEqual(folders.map((folder) => `libz.so.1 ${folder}/libz.so.1`));
  });

  it('sorts as the loader searches: descending, digits as numbers', () => {
    const names = ['liba.so.2', 'liba.so.10', 'liba.so', 'libab.so', 'lib1.so', 'libB.so'];
    const files = Object.fromEntries(names.map((name) => [`usr/lib/${name}`, elfFacts({ soname: name })]));
    const sorted = ['lib1.so', 'libab.so', 'liba.so.10', 'liba.so.2', 'liba.so', 'libB.so'];
    expect(libraries(files).map((line) => line.split(' ')[0])).toEqual(sorted);
  });
});

describe('libraryOrder()', () => {
  const name = fc.string({ unit: fc.constantFrom('l', '.', '0', '1', '9', 'a', '-'), maxLength: 8 });

  it('is a total order for the names of libraries', () => {
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        expect(Math.sign(libraryOrder(a, b)) + Math.sign(libraryOrder(b, a))).toBe(0);
        expect(libraryOrder(a, b) <= 0 && libraryOrder(b, c) <= 0 && libraryOrder(a, c) > 0).toBe(false);
      }),
    );
  });
});

describe('formatLdSoCache()', () => {
  it('writes a cache of one library by hand-checked bytes', () => {
    const cache = formatLdSoCache([{ soname: 'liba.so', path: '/lib/liba.so' }], 'arm64');
    expect(Buffer.from(cache).toString('hex')).toBe(
      [
        Buffer.from('glibc-ld.so.cache1.1').toString('hex'),
        '01000000',
        '15000000',
        '02000000',
        '00000000',
        '00'.repeat(12),
        '030a0000',
        '48000000',
        '50000000',
        '00'.repeat(12),
        Buffer.from('liba.so\0/lib/liba.so\0').toString('hex'),
      ].join(''),
    );
  });

  it('writes one for an image without libraries', () => {
    expect(formatLdSoCache([], 'amd64')).toHaveLength(48);
  });
});

const LDCONFIG = '/sbin/ldconfig';
const MULTIARCH = '/usr/lib/x86_64-linux-gnu';
const CANNOT_COMPARE =
  process.arch !== 'x64' ||
  skipWithout(
    'root, ldconfig or multiarch folder',
    existsSync(LDCONFIG) && existsSync(MULTIARCH) && process.getuid?.() === 0,
  );

/** Any library that needs libc, libm and zlib. */
const NEEDS_ZLIB = 'libpng16.so.16';

describe.skipIf(CANNOT_COMPARE)('ld.so.cache against glibc (skipped without root and ldconfig on amd64)', () => {
  it('has the libraries, in the order, that ldconfig enters for this machine', () => {
    const root = scratchRoot();
    cpSync(MULTIARCH, join(root, MULTIARCH), {
      recursive: true,
      filter: (path) => path === MULTIARCH || isLibrary(path),
      verbatimSymlinks: true,
    });
    mkdirSync(join(root, 'etc'));
    mkdirSync(join(root, 'usr/local/lib'), { recursive: true });
    writeFileSync(join(root, 'etc/ld.so.conf'), '/usr/local/lib\n');
    execFileSync(LDCONFIG, ['-r', root, '-C', '/theirs'], { stdio: 'ignore' });
    writeFileSync(
      join(root, 'ours'),
      formatLdSoCache(cachedLibraries({ ...treeFromDisk(root), architecture: 'amd64' }), 'amd64'),
    );
    expect(listed(join(root, 'ours'))).toEqual(listed(join(root, 'theirs')));
  });

  it.skipIf(CANNOT_COMPARE || skipWithout(NEEDS_ZLIB, existsSync(join(MULTIARCH, NEEDS_ZLIB))))(
    'lets the loader find a library in no default folder',
    () => {
      const root = scratchRoot();
      for (const [name, folder] of [
        ['libc.so.6', MULTIARCH],
        ['libz.so.1', '/opt/far'],
      ] as const) {
        mkdirSync(join(root, folder), { recursive: true });
        copyFileSync(join(MULTIARCH, name), join(root, folder, name));
      }
      copyFileSync('/lib64/ld-linux-x86-64.so.2', join(root, 'usr/lib64/ld-linux-x86-64.so.2'));
      const user = join(MULTIARCH, NEEDS_ZLIB);
      copyFileSync('/usr/lib/x86_64-linux-gnu/libm.so.6', join(root, MULTIARCH, 'libm.so.6'));
      copyFileSync(user, join(root, 'libpng16.so.16'));
      const list = (): string => {
        const args = [root, '/lib64/ld-linux-x86-64.so.2', '--list', '/libpng16.so.16'];
        const { stdout, stderr } = spawnSync('chroot', args, { encoding: 'utf8' });
        return stdout + stderr;
      };
      expect(list()).toContain('libz.so.1: cannot open shared object file');
      mkdirSync(join(root, 'etc'));
      writeFileSync(join(root, 'etc/ld.so.conf'), '/opt/far\n');
      writeFileSync(
        join(root, 'etc/ld.so.cache'),
        formatLdSoCache(cachedLibraries({ ...treeFromDisk(root), architecture: 'amd64' }), 'amd64'),
      );
      expect(list()).toContain('libz.so.1 => /opt/far/libz.so.1');
    },
  );
});

function isLibrary(path: string): boolean {
  return /^\/usr\/lib\/x86_64-linux-gnu\/lib[^/]*\.so[^/]*$/.test(path) && lstatSync(path).size < 200_000;
}

function scratchRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'rootcellar-cache-'));
  onTestFinished(() => {
    rmSync(root, { recursive: true });
  });
  mkdirSync(join(root, 'usr/lib64'), { recursive: true });
  mkdirSync(join(root, 'usr/lib'), { recursive: true });
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync('usr/lib64', join(root, 'lib64'));
  return root;
}

function listed(cache: string): string[] {
  const text = execFileSync(LDCONFIG, ['-p', '-C', cache], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line.startsWith('\t'));
}
