import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { pythonImage, rootcellar, workplace, type Workplace } from '../support/command.ts';

const MUST = process.env['SANDBOX_MUST_WORK'] === '1';
const HAS_TOOLS = ['skopeo', 'umoci'].every((tool) => spawnSync(tool, ['--version']).error === undefined);

let work: Workplace;
beforeAll(async () => {
  await pythonImage();
  work = await workplace();
});
afterAll(() => work[Symbol.asyncDispose]());

/** Every entry with its kind, mode, owner, time, size and target. */
async function listing(folder: string): Promise<string> {
  const format = '%P %y %m %U:%G %T@ %l %s\n';
  const { stdout } = await execa('find', [
    folder,
    '-mindepth',
    '1',
    '-type',
    'd',
    '-printf',
    '%P %y %m %U:%G\n',
    '-o',
    '-printf',
    format,
  ]);
  return stdout.split('\n').toSorted().join('\n');
}

describe.skipIf(!HAS_TOOLS && !MUST)('rootcellar export', () => {
  it('writes a layout that others read, with the files of the image', async () => {
    const folder = work.path('oci');
    const ended = await rootcellar(['export', 'python', '-o', folder, '--json', '-q']);
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    const { images } = JSON.parse(ended.stdout);
    const { stdout } = await execa('skopeo', ['inspect', `oci:${folder}:python`]);
    const seen = JSON.parse(stdout);
    expect(seen).toMatchObject({ Digest: images[0].digest, Os: 'linux', Layers: images[0].layers });
    expect(seen.Labels['rootcellar.diff_id']).toBe(images[0].diff_id);
    expect(images[0].layers.length).toBeGreaterThan(5);
    await execa('umoci', ['unpack', '--image', `${folder}:python`, work.path('bundle')]);
    const config = JSON.parse(readFileSync(work.path('bundle/config.json'), 'utf8'));
    expect(config.process.args[0]).toMatch(/^\/usr\/bin\/python3/);
    const tar = work.path('python.tar');
    const recipe = join(inject('e2eFolder'), 'python');
    const own = process.arch === 'x64' ? 'amd64' : 'arm64';
    expect(await rootcellar(['build', recipe, '--arch', own, '-o', tar])).toMatchObject({ status: 0 });
    mkdirSync(work.path('plain'));
    await execa('tar', ['-xpf', tar, '-C', work.path('plain'), '--numeric-owner']);
    expect(await listing(work.path('bundle/rootfs'))).toBe(await listing(work.path('plain')));
    expect(
      await execa('diff', ['-r', '--no-dereference', work.path('bundle/rootfs'), work.path('plain')]),
    ).toMatchObject({
      stdout: '',
      exitCode: 0,
    });
  });

  it('gives the same bytes again', async () => {
    for (const name of ['one', 'two']) {
      expect((await rootcellar(['export', 'python', '-o', work.path(name)])).status).toBe(0);
    }
    expect((await execa('diff', ['-r', work.path('one'), work.path('two')])).stdout).toBe('');
    const archives = ['a.tar', 'b.tar'].map((name) => work.path(name));
    for (const archive of archives) await rootcellar(['export', 'python', '--format', 'docker', '-o', archive]);
    expect(readFileSync(archives[0] ?? '').equals(readFileSync(archives[1] ?? ''))).toBe(true);
  });

  it('writes one file for Docker, which is a layout, too', async () => {
    const archive = work.path('docker.tar');
    await rootcellar(['export', 'python', '--format', 'docker', '-o', archive]);
    const { Layers: layers } = JSON.parse((await execa('skopeo', ['inspect', `docker-archive:${archive}`])).stdout);
    expect(layers.length).toBeGreaterThan(5);
    await execa('skopeo', ['inspect', `oci-archive:${archive}`]);
    await execa('skopeo', ['copy', `docker-archive:${archive}`, `oci:${work.path('copied')}:python`]);
  });

  it('takes all architectures of a recipe, which is built for that', async () => {
    await work.write({
      'both/recipe.yaml':
        'name: both\narchitectures: [amd64, arm64]\nbase: { debian: { suite: trixie, packages: [netbase] } }\n',
    });
    const output = work.path('both-oci');
    const ended = await rootcellar(['export', work.path('both'), '-o', output, '--json', '-q']);
    const { images } = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '');
    expect(images).toMatchObject([{ architecture: 'amd64' }, { architecture: 'arm64' }]);
    for (const arch of ['amd64', 'arm64']) {
      const { stdout } = await execa('skopeo', ['inspect', '--override-arch', arch, `oci:${output}:both`]);
      expect(JSON.parse(stdout)).toMatchObject({ Architecture: arch });
    }
  });

  it.each([
    ['no output', ['export', 'python'], 'there is no -o'],
    ['an unknown format', ['export', 'python', '-o', 'x', '--format', 'zip'], '--format `zip`'],
    ['a folder for Docker', ['export', 'python', '-o', 'x', '--format', 'docker'], 'one file'],
    ['an output that is there', ['export', 'python', '-o', 'TAKEN'], 'is there already'],
    ['an image that is not', ['export', 'nothing', '-o', 'x'], 'there is no such image'],
  ])('refuses %s, and leaves nothing', async (_, words, text) => {
    const taken = work.path('taken');
    mkdirSync(taken, { recursive: true });
    writeFileSync(`${taken}/mine`, 'mine');
    const before = readdirSync(work.folder);
    const ended = await rootcellar(
      words.map((word) => (word === 'TAKEN' ? taken : word === 'x' ? work.path('x') : word)),
    );
    expect(ended.stderr.match(/^error\[/gm)).toHaveLength(1);
    expect(ended.stderr).toContain(text);
    expect(readdirSync(work.folder)).toEqual(before);
    expect(existsSync(`${taken}/mine`)).toBe(true);
  });
});
