import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { rootcellar, workplace, type Workplace } from '../support/command.ts';
import { entriesBelow, oddImage, type OddImage } from '../support/odd-image.ts';

const MUST = process.env['SANDBOX_MUST_WORK'] === '1';
const HAS_TOOLS = ['mksquashfs', 'mkfs.erofs'].every((tool) => spawnSync(tool, ['-V']).error === undefined);

let work: Workplace;
let image: OddImage;
/** A tar with a file that nothing compresses. */
let random: string;
beforeAll(async () => {
  work = await workplace();
  image = await oddImage(work);
  random = work.path('random.tar');
  const script = 'mkdir random && head -c 300000 /dev/urandom > random/x && tar -cf random.tar -C random x';
  await execa('sh', ['-ec', script], { cwd: work.folder });
});
afterAll(() => work[Symbol.asyncDispose]());

const FORMATS = [
  { format: 'squashfs', compression: 'gzip' },
  { format: 'squashfs', compression: 'zstd' },
  { format: 'squashfs', compression: 'none' },
  { format: 'erofs', compression: 'none' },
  { format: 'erofs', compression: 'lz4' },
];

async function exported(format: string, words: readonly string[] = [], environment = {}): Promise<string> {
  const output = work.path(`${readdirSync(work.folder).length}.${format}`);
  const ended = await rootcellar(['export', image.name, '--format', format, '-o', output, ...words], {
    home: image.home,
    environment,
  });
  expect(ended.stderr).not.toContain('error');
  return output;
}

/** Its files, until the end of the test. fsck.erofs would extract hard links as copies, so that one is mounted. */
async function unpacked(format: string, file: string): Promise<string> {
  const folder = `${file}.files`;
  if (format === 'squashfs') {
    await execa('unsquashfs', ['-d', folder, '-no-progress', file]);
    return folder;
  }
  await execa('fsck.erofs', [file]);
  mkdirSync(folder);
  await execa('mount', ['-t', 'erofs', '-o', 'loop,ro', file, folder]);
  onTestFinished(async () => void (await execa('umount', [folder])));
  return folder;
}

describe.skipIf(!HAS_TOOLS && !MUST)('rootcellar export --format squashfs|erofs', () => {
  it.each(FORMATS)('gives $format ($compression) with all that the tar has', async ({ format, compression }) => {
    const folder = await unpacked(format, await exported(format, ['--compression', compression]));
    expect(await entriesBelow(folder)).toBe(await entriesBelow(image.folder));
    expect(await execa('diff', ['-r', '--no-dereference', folder, image.folder])).toMatchObject({ stdout: '' });
  });

  it.each(['squashfs', 'erofs'])('gives the same bytes of %s again, whatever the environment says', async (format) => {
    const first = await exported(format);
    // Both tools would take the time of now where nothing else is said.
    const second = await exported(format, [], { SOURCE_DATE_EPOCH: '86400', TZ: 'Asia/Tokyo', LC_ALL: 'C' });
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  });

  it('says which package has a tool that is missing, and leaves nothing', async () => {
    const bin = work.path('bin');
    mkdirSync(bin);
    symlinkSync('/usr/bin/flock', `${bin}/flock`);
    const before = readdirSync(work.folder);
    for (const [format, debian] of [
      ['squashfs', 'squashfs-tools'],
      ['erofs', 'erofs-utils'],
    ] as const) {
      const words = ['export', image.name, '--format', format, '-o', work.path('new/deep/x')];
      const ended = await rootcellar(words, { home: image.home, environment: { PATH: bin } });
      expect(ended).toMatchObject({ status: 1 });
      expect(ended.stderr).toContain(`hint: apt-get install ${debian}`);
    }
    expect(readdirSync(work.folder)).toEqual(before);
  });
});

describe('rootcellar export', () => {
  it.each(['squashfs', 'erofs', 'oci'])('says that no space is left for %s, and leaves nothing', async (format) => {
    const small = work.path(`small-${format}`);
    mkdirSync(small);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
    onTestFinished(async () => void (await execa('umount', [small])));
    const words = ['export', random, '--format', format, '-o', `${small}/deep/x`];
    const ended = await rootcellar(words, { home: image.home });
    expect(ended.stderr).toContain(`error[E_DISK_FULL] \`${small}/deep/x\`: no space is left for it`);
    expect(readdirSync(small)).toEqual([]);
  });

  it.each(['deep/er/x', 'deep/er/x.tar'])('makes the folders on the way to %s', async (output) => {
    const ended = await rootcellar(['export', image.name, '-o', work.path('new', output)], { home: image.home });
    expect(ended).toMatchObject({ status: 0 });
  });

  it.each(['/proc/x', '/proc/x/y/z.tar', '/dev/null/x', '/dev/null', `/${'x'.repeat(300)}`])(
    'refuses to write %s by one error',
    async (output) => {
      const ended = await rootcellar(['export', image.name, '-o', output], { home: image.home });
      expect(ended.status).toBe(2);
      expect(ended.stderr.match(/^error\[E_USAGE\]/gm)).toHaveLength(1);
      expect(ended.stderr).not.toContain('    at ');
    },
  );

  it('gives an image the same layers, whatever its tar is called', async () => {
    const other = work.path('other name.tar');
    await execa('cp', [image.tar, other]);
    const digests: string[] = [];
    for (const word of [image.tar, other]) {
      const output = work.path(`layers-${digests.length}`);
      const ended = await rootcellar(['export', word, '-o', output, '--json', '-q'], {
        home: work.path(`store-${digests.length}`),
      });
      expect(ended).toMatchObject({ status: 0, stdout: expect.stringContaining('images') });
      digests.push(JSON.parse(ended.stdout).images[0].digest);
    }
    expect(digests[0]).toBe(digests[1]);
  });

  it('lists no image of a name that is not there', async () => {
    const ended = await rootcellar(['images', 'oddd'], { home: image.home });
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toContain('error[E_IMAGE_NOT_FOUND]');
  });
});
