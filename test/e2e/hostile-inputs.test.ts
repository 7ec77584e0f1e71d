import { existsSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawAr, rawDeb, rawTar, rawWheel, rawZip, type RawTarMember, type RawWheel } from '../assemble/raw-archives.ts';
import { namesBelow, rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';
import { startRawServer, type RawPackage, type RawServer } from '../support/raw-recipe.ts';

/**
 * Inputs that mean harm, handed to the command as a user would. Each is refused with one error, or confined to the image; in
 * either case nothing appears outside of the store, and nothing half-made in it.
 */
describe('hostile inputs', () => {
  let server: RawServer;
  let work: Workplace;

  beforeAll(async () => {
    work = await workplace();
    server = await startRawServer();
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  });

  /** The file that every attack tries to write, read or lead to. */
  const canary = (): string => work.path('canary');

  async function build(...packages: readonly RawPackage[]): Promise<Ended> {
    const recipe = await server.lock(work, packages);
    return await rootcellar(['build', recipe], { home: work.path('store') });
  }

  async function load(tar: Uint8Array): Promise<Ended> {
    await work.write({ 'hostile.tar': tar });
    return await rootcellar(['run', work.path('hostile.tar'), '-c', ''], { home: work.path('store') });
  }

  async function expectRefused(ended: Ended, code: string, text: string): Promise<void> {
    expect(ended.stderr).toContain(`error[${code}]`);
    expect(ended.stderr).toContain(text);
    expect(ended.stderr).not.toContain('this is a bug');
    expect(ended.status).toBe(1);
    await expectNothingOutside();
  }

  async function expectNothingOutside(): Promise<void> {
    expect(existsSync(canary())).toBe(false);
    expect(await namesBelow(work.path('store/tmp'))).toEqual([]);
  }

  /** The tar became an image, which has no Python to run anything with. */
  async function expectConfined(ended: Ended): Promise<void> {
    expect(ended.stderr).toContain('error[E_PROGRAM_NOT_FOUND]');
    await expectNothingOutside();
  }

  describe('tars of root filesystems: paths', () => {
    it('a file, then a folder at its path', async () => {
      await expectRefused(await load(rawTar([{ name: 'a' }, { name: 'a/b' }])), 'E_FILE_CONFLICT', '/a');
    });

    it.each<[string, () => readonly RawTarMember[], string]>([
      ['out of the root', () => [{ name: upTo(canary()), content: 'x' }], 'is not acceptable'],
      ['out of the root behind a folder', () => [{ name: `a/${upTo(canary())}`, content: 'x' }], 'is not acceptable'],
      ['not UTF-8', () => [{ name: '', nameBytes: Buffer.from([0x61, 0xff]) }], 'is not UTF-8'],
      ['twice, as a file and as a link', () => [{ name: 'a', type: '2', target: 'b' }, { name: 'a' }], 'twice'],
      [
        'a component of 300 bytes',
        () => [{ name: 'x', type: 'L', content: `${'n'.repeat(300)}\0` }, { name: 'y' }],
        'nnn',
      ],
    ])('%s', async (_, members, text) => {
      await expectRefused(await load(rawTar(members())), 'E_ARTIFACT_INVALID', text);
    });

    it('an absolute path and a Windows path stay inside the image', async () => {
      const ended = await load(
        rawTar([
          { name: canary(), content: 'x' },
          { name: String.raw`C:\evil`, content: 'x' },
        ]),
      );
      await expectConfined(ended);
    });
  });

  describe('tars of root filesystems: links', () => {
    it('a file behind a symbolic link to a folder of this machine stays inside the image', async () => {
      const members = [
        { name: 'a', type: '2', target: work.folder },
        { name: 'a/canary', content: 'x' },
      ];
      await expectConfined(await load(rawTar(members)));
    });

    it('a chain of links that climbs stays inside the image', async () => {
      const members = [
        { name: 'a/b/up', type: '2', target: '../..' },
        { name: 'c', type: '2', target: `a/b/up/${upTo(work.folder)}` },
        { name: 'c/canary', content: 'x' },
      ];
      await expectConfined(await load(rawTar(members)));
    });

    it.each<[string, readonly RawTarMember[]]>([
      ['to a file of this machine', [{ name: 'a', type: '1', target: '../../../../etc/passwd' }]],
      ['to itself', [{ name: 'a', type: '1', target: 'a' }]],
      ['to what comes to nothing', [{ name: 'a', type: '1', target: 'b' }]],
      [
        'through a symbolic link',
        [
          { name: 'l', type: '2', target: '/etc' },
          { name: 'a', type: '1', target: 'l/passwd' },
        ],
      ],
    ])('a hard link %s', async (_, members) => {
      await expectRefused(await load(rawTar(members)), 'E_ARTIFACT_INVALID', 'hard link');
    });
  });

  describe('tars of root filesystems: what is in them', () => {
    it('devices and FIFOs are left out, and that is said', async () => {
      const ended = await load(rawTar([{ name: 'dev/sda', type: '4' }, { name: 'pipe', type: '6' }, { name: 'x' }]));
      expect(ended.stderr).toContain('sda');
      await expectConfined(ended);
    });

    it.each<[string, () => Uint8Array, string]>([
      ['a size of 8 GiB', () => rawTar([{ name: 'a', size: 0o77777777777 }]), 'too early'],
      ['a sparse file', () => rawTar([pax('22 GNU.sparse.major=1\n'), { name: 'a' }]), 'sparse'],
      ['a pax size that lies', () => rawTar([pax('20 size=99999999999\n'), { name: 'a' }]), ''],
      ['a cut archive', () => rawTar([{ name: 'a', content: 'x'.repeat(4000) }]).subarray(0, 2048), 'too early'],
      ['a gzip stream that stops', () => gzipSync(rawTar([{ name: 'a' }])).subarray(0, 40), ''],
    ])('%s', async (_, tar, text) => {
      await expectRefused(await load(tar()), 'E_ARTIFACT_INVALID', text);
    });

    it('set-user-ID bits and times out of range do not get in', async () => {
      await expectConfined(await load(rawTar([{ name: 'x', mode: 0o6755, mtime: 8 ** 11 - 1, uid: 8 ** 7 - 1 }])));
    });

    it('names of deletions in layers are names like others', async () => {
      await expectConfined(await load(rawTar([{ name: '.wh..wh..opq' }, { name: '.wh.etc' }, { name: 'a/.wh...' }])));
    });
  });

  describe('Debian packages', () => {
    it.each<[string, () => RawPackage, string]>([
      ['a path out of the root', () => deb({ name: `./${upTo(canary())}`, content: 'x' }), 'is not acceptable'],
      ['a device', () => deb({ name: './dev/sda', type: '4' }), 'device'],
      ['a FIFO', () => deb({ name: './p', type: '6' }), 'FIFO'],
      ['a hard link out', () => deb({ name: './a', type: '1', target: upTo(canary()) }), 'hard link'],
      ['no archive', () => ({ kind: 'deb', bytes: Buffer.from('MZ') }), 'ar'],
      ['another package', () => ({ kind: 'deb', bytes: rawDebNamed('evil') }), '`evil`'],
    ])('%s', async (_, hostile, text) => {
      await expectRefused(await build(hostile()), 'E_ARTIFACT_INVALID', text);
    });

    it('maintainer scripts are never run', async () => {
      const script = { name: './postinst', content: `#!/bin/sh\ntouch ${canary()}\n`, mode: 0o755 };
      const ended = await build({ kind: 'deb', bytes: rawDeb([{ name: './x', content: 'x' }], [script]) });
      expect(ended.stderr).toContain('`postinst` was not run');
      expect(existsSync(canary())).toBe(false);
    });

    it('a list of libraries for every program is named', async () => {
      const ended = await build(deb({ name: './etc/ld.so.preload', content: '/evil.so\n' }));
      expect(ended.stderr).toContain('`/etc/ld.so.preload` loads libraries into every program');
    });
  });

  describe('wheels', () => {
    it.each<[string, () => RawPackage, string]>([
      ['a path out of the folder', () => wheel({ files: [{ name: upTo(canary()) }] }), 'is not acceptable'],
      ['an absolute path', () => wheel({ files: [{ name: canary() }] }), 'is not acceptable'],
      [
        'a script out of its folder',
        () => wheel({ files: [{ name: `toy-1.0.data/scripts/${upTo(canary())}` }] }),
        'is not',
      ],
      ['a scheme that does not exist', () => wheel({ files: [{ name: 'toy-1.0.data/etc/passwd' }] }), 'scheme'],
      ['a symbolic link', () => wheel({ files: [{ name: 'a', content: '/etc', mode: 0o120777 }] }), 'link'],
      ['a file that RECORD does not know', () => wheel({ unlisted: [{ name: 'sitecustomize.py' }] }), 'RECORD'],
      [
        'a file that is not as RECORD says',
        () => wheel({ files: [{ name: 'a', content: 'x' }], record: broken }),
        'RECORD',
      ],
      [
        'a command that smuggles code',
        () => wheel({ entryPoints: '[console_scripts]\nx = os:system("id")\n' }),
        'is not',
      ],
      ['another project', () => wheel({ name: 'evil' }), '`evil 1.0`'],
      ['no zip file', () => ({ kind: 'wheel', bytes: Buffer.from('PK\u0003\u0004') }), ''],
      ['sizes that lie', () => ({ kind: 'wheel', bytes: rawZip([{ name: 'a', content: 'x', size: 10 ** 9 }]) }), ''],
    ])('%s', async (_, hostile, text) => {
      await expectRefused(await build(hostile()), 'E_ARTIFACT_INVALID', text);
    });

    it('what takes the place of a file of another package is a conflict that names both', async () => {
      const own = '/usr/local/lib/python3.13/dist-packages/pip.py';
      const ended = await build(
        deb({ name: `.${own}`, content: 'a' }),
        wheel({ files: [{ name: 'pip.py', content: 'b' }] }),
      );
      expect(ended.stderr).toMatch(/error\[E_(?:FILE_CONFLICT|BYTECODE)\]/);
      await expectNothingOutside();
    });
  });

  describe('requirements', () => {
    it.each([
      ['a file of this machine', '-r /etc/passwd'],
      ['a file above the folder', '-r ../../secret.txt'],
      ['a shell command', '; rm -rf /'],
      ['a command substitution', '$(id)'],
      ['a look-alike letter', 'r\u0435quests'],
      ['a line inside a name', 'numpy\u2028evil'],
      ['a NUL', 'numpy\0'],
      ['a marker of ten thousand parentheses', `a; ${'('.repeat(10_000)}`],
      ['an editable folder', '-e .'],
      ['an unknown scheme', 'x @ gopher://host/x.whl'],
    ])('%s', async (_, line) => {
      const recipe = await recipeOf('base: { debian: { suite: trixie, packages: [python3] } }', `${line}\n`);
      const ended = await rootcellar(['lock', recipe], { home: work.path('store') });
      expect(ended.stderr).toMatch(/error\[E_(?:REQUIREMENT_SYNTAX|RECIPE_PATH|RECIPE_NOT_FOUND)\]/);
      expect(ended.status).toBe(1);
      expect(ended.stderr).not.toContain('root:x:0');
      await expectNothingOutside();
    });
  });

  describe('recipes', () => {
    const base = 'base: { debian: { suite: trixie, packages: [python3] } }';
    it.each([
      ['a billion laughs', `a: &a [x, x]\n${'bcdefghijklmnop'.split('').map(laugh).join('\n')}\n${base}`, 'E_RECIPE'],
      ['an anchor in itself', `files: &a { /etc/x: *a }\n${base}`, 'E_RECIPE_SYNTAX'],
      ['a tag of a language', `files: !!js/function "x"\n${base}`, 'E_RECIPE_SYNTAX'],
      ['a key twice', `name: other\n${base}`, 'E_RECIPE_SYNTAX'],
      ['a flow of a million levels', `files: ${'['.repeat(500_000)}`, 'E_RECIPE_SYNTAX'],
      ['a tab', `files:\n\t/etc/x: y\n${base}`, 'E_RECIPE_SYNTAX'],
      ['a NUL', `files: "\0"\n${base}`, 'E_RECIPE_SYNTAX'],
      ['a prototype', `__proto__: { name: x }\n${base}`, 'E_RECIPE_KEY'],
      ['a huge number', `architectures: [${'9'.repeat(400)}]\n${base}`, 'E_RECIPE_VALUE'],
      ['a file above the folder', `files: { /etc/x: { from: ../../../etc/passwd } }\n${base}`, 'E_RECIPE_PATH'],
      ['an absolute file', `files: { /etc/x: { from: /etc/passwd } }\n${base}`, 'E_RECIPE_PATH'],
      ['a path in the image that climbs', `files: { "/../x": y }\n${base}`, 'E_RECIPE_VALUE'],
      ['our own folder in the image', `files: { /.rootcellar/manifest.json: y }\n${base}`, 'E_RECIPE_VALUE'],
    ])('%s', async (_, yaml, code) => {
      const recipe = await recipeOf(yaml, '');
      const ended = await rootcellar(['lock', recipe], { home: work.path('store') });
      expect(ended.stderr).toContain(`error[${code}`);
      expect(ended.stderr).not.toContain('this is a bug');
      expect(ended.status).toBe(1);
      await expectNothingOutside();
    });

    it('a variable of the environment is text like any other', async () => {
      const recipe = await recipeOf(`files: { /etc/x: { from: "\${HOME}/x" } }\n${base}`, '');
      const ended = await rootcellar(['lock', recipe], { home: work.path('store') });
      expect(ended.stderr).toContain('${HOME}/x');
      expect(ended.status).toBe(1);
    });

    it('a link out of the folder', async () => {
      const recipe = await recipeOf(`files: { /etc/x: { from: leak } }\n${base}`, '');
      await symlink('/etc/passwd', work.path('mine/leak'));
      const ended = await rootcellar(['lock', recipe], { home: work.path('store') });
      await expectRefused(ended, 'E_RECIPE_PATH', 'leak');
    });
  });

  async function recipeOf(yaml: string, requirements: string): Promise<string> {
    await work.write({
      'mine/recipe.yaml': `name: mine\npython: { requirements: r.txt }\n${yaml}\n`,
      'mine/r.txt': requirements,
    });
    return work.path('mine');
  }
});

/** From the root of an image, or any folder of it, up to the root of this machine, and from there to `path`. */
function upTo(path: string): string {
  return `${'../'.repeat(20)}${path.slice(1)}`;
}

function deb(...members: readonly RawTarMember[]): RawPackage {
  return { kind: 'deb', bytes: rawDeb(members) };
}

function wheel(options: RawWheel): RawPackage {
  return { kind: 'wheel', bytes: rawWheel(options) };
}

function pax(records: string): RawTarMember {
  return { name: 'PaxHeaders/x', type: 'x', content: records };
}

function broken(lines: readonly string[]): readonly string[] {
  return ['a,sha256=AAAA,1', ...lines.slice(1)];
}

/** Each level names the one before it nine times. */
function laugh(letter: string): string {
  const before = String.fromCharCode(letter.charCodeAt(0) - 1);
  return `${letter}: &${letter} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
}

function rawDebNamed(name: string): Buffer {
  const control = rawTar([{ name: 'control', content: `Package: ${name}\nVersion: 1.0\nArchitecture: all\n` }]);
  return rawAr([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar', control],
    ['data.tar', rawTar([])],
  ]);
}
