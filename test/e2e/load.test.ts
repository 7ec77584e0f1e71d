import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { own } from '../support/own-architecture.ts';
import { pythonImage, rootcellar, sharedHome, workplace, type Ended, type Workplace } from '../support/command.ts';

const MUST = process.env['SANDBOX_MUST_WORK'] === '1';
const HAS_TOOLS = ['skopeo', 'umoci'].every((tool) => spawnSync(tool, ['--version']).error === undefined);

let work: Workplace;
let stores = 0;
beforeAll(async () => {
  await pythonImage();
  work = await workplace();
  await work.write({
    'strict/recipe.yaml': `name: strict
architectures: [${own}]
base: { debian: { suite: trixie, packages: [netbase] } }
sandbox: { network: host, limits: { memory: 99MiB } }
`,
  });
  for (const word of ['python', work.path('strict')]) {
    const output = work.path(`${basename(word)}-oci`);
    const exported = await rootcellar(['export', word, '-o', output]);
    if (exported.status !== 0) throw new Error(exported.stderr);
  }
});
afterAll(() => work[Symbol.asyncDispose]());

function emptyHome(): string {
  stores += 1;
  return work.path(`store-${stores}`);
}

function load(words: readonly string[], home = emptyHome()): Promise<Ended> {
  return rootcellar(['load', ...words, '--json', '-q'], { home });
}

function resultOf({ stdout, status }: Ended) {
  expect(status, stdout).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

async function identity(home: string, name = 'python'): Promise<string> {
  return resultOf(await rootcellar(['show', name, '--json', '-q'], { home })).diff_id;
}

describe('rootcellar load', () => {
  it('brings back what export wrote: the same root file system, and it runs', async () => {
    const home = emptyHome();
    expect(resultOf(await load([work.path('python-oci')], home))).toMatchObject({
      name: 'python',
      generation: 1,
      diff_id: await identity(sharedHome()),
    });
    const ran = await rootcellar(['run', 'python', '-c', 'import ssl; print(6 * 7)'], { home });
    expect(ran).toMatchObject({ status: 0, stdout: '42\n' });
    expect(await rootcellar(['verify', 'python', '-q'], { home })).toMatchObject({ status: 0 });
    const shown = resultOf(await rootcellar(['show', 'python', '--json', '-q'], { home }));
    expect(shown.manifest.interpreter.version).toMatch(/^3\./);
    // Once more: nothing new.
    expect(resultOf(await load([work.path('python-oci')], home))).toMatchObject({ generation: 1, known: true });
    // It leaves as it came.
    await rootcellar(['export', 'python', '-o', work.path('again')], { home });
    expect(await execa('diff', ['-r', work.path('again'), work.path('python-oci')])).toMatchObject({ stdout: '' });
  });

  it.skipIf(!HAS_TOOLS && !MUST)('reads archives of docker and layouts that others wrote', async () => {
    const diffId = await identity(sharedHome(), 'strict');
    const layout = `oci:${work.path('strict-oci')}:strict`;
    for (const [target, words] of [
      [`docker-archive:${work.path('docker.tar')}:team/strict:3`, []],
      [`oci-archive:${work.path('archive.tar')}:strict`, []],
      [`oci:${work.path('zstd')}:strict`, ['--dest-compress-format', 'zstd', '--dest-force-compress-format']],
    ] as const) {
      const path = target.split(':')[1] ?? '';
      const copied = await execa('skopeo', ['copy', ...words, layout, target], { reject: false });
      // Older versions of skopeo cannot force a compression.
      if (copied.exitCode !== 0 && words.length > 0) continue;
      expect(copied.stderr).toBe('');
      expect(resultOf(await load([path])), target).toMatchObject({ name: 'strict', diff_id: diffId });
    }
    await execa('gzip', [work.path('docker.tar')]);
    expect(resultOf(await load([work.path('docker.tar.gz'), '--name', 'zipped']))).toMatchObject({ diff_id: diffId });
  });

  it.skipIf(!HAS_TOOLS && !MUST)('applies what others changed on top, and believes nothing that they say', async () => {
    const layout = work.path('changed');
    await execa('cp', ['-r', work.path('strict-oci'), layout]);
    const bundle = work.path('changed-bundle');
    await execa('umoci', ['unpack', '--image', `${layout}:strict`, bundle]);
    await execa('rm', ['-r', `${bundle}/rootfs/etc/networks`]);
    writeFileSync(`${bundle}/rootfs/etc/new`, 'new\n');
    const manifest = `${bundle}/rootfs/.rootcellar/manifest.json`;
    await execa('sed', ['-i', 's/"memoryBytes": 103809024/"memoryBytes": 1/', manifest]);
    await execa('umoci', ['repack', '--image', `${layout}:strict`, bundle]);
    expect(JSON.parse((await load([layout])).stdout).problems).toMatchObject([{ code: 'E_DIGEST_MISMATCH' }]);
    await execa('umoci', ['config', '--image', `${layout}:strict`, '--clear', 'config.labels']);
    const home = emptyHome();
    expect(resultOf(await load([layout, '--name', 'changed', '--trust-policy'], home))).toMatchObject({
      generation: 1,
    });
    const shown = resultOf(await rootcellar(['show', 'changed', '--files', '--json', '-q'], { home }));
    const paths = shown.files.map(({ path }: { readonly path: string }) => path);
    expect(paths).toContain('/etc/new');
    expect(paths).not.toContain('/etc/networks');
    expect(shown.manifest.sandbox).toMatchObject({ network: 'none', limits: { memoryBytes: 256 * 1024 ** 2 } });
    // One that claims the identity that it has is still held to what settings may be.
    await execa('umoci', [
      'config',
      '--image',
      `${layout}:strict`,
      '--config.label',
      `rootcellar.diff_id=${shown.diff_id}`,
    ]);
    expect(JSON.parse((await load([layout, '--trust-policy'])).stdout).problems).toMatchObject([{ code: 'E_POLICY' }]);
  });

  it('takes the settings of an image only when it is told to', async () => {
    const home = emptyHome();
    const plain = await rootcellar(['load', work.path('strict-oci')], { home });
    expect(plain.stderr).toContain('has sandbox settings of its own, which were not taken');
    const settings = async (): Promise<unknown> =>
      resultOf(await rootcellar(['show', 'strict', '--json', '-q'], { home })).manifest.sandbox;
    expect(await settings()).toMatchObject({ network: 'none', limits: { memoryBytes: 256 * 1024 ** 2 } });
    resultOf(await load([work.path('strict-oci'), '--trust-policy'], home));
    expect(await settings()).toMatchObject({ network: { mode: 'host' }, limits: { memoryBytes: 99 * 1024 ** 2 } });
  });

  it('brings a tar under a name', async () => {
    const tar = work.path('plain.tar');
    await execa('tar', [
      '-cf',
      tar,
      '-C',
      work.path('python-oci'),
      'oci-layout',
      '--transform',
      's/oci-layout/etc-file/',
    ]);
    expect(resultOf(await load([tar]))).toMatchObject({ name: 'plain', generation: 1 });
    expect(resultOf(await load([tar, '--name', 'other', '--arch', 'arm64']))).toMatchObject({
      name: 'other',
      architecture: 'arm64',
    });
  });

  it.each([
    ['nothing', 'E_IMAGE_NOT_FOUND', 'is not there'],
    ['empty-folder', 'E_IMAGE_NOT_FOUND', 'is no image layout'],
    ['no-json', 'E_ARTIFACT_INVALID', 'cannot be read'],
    ['schema1', 'E_MEDIA_TYPE', 'schema 1'],
    ['no-blob', 'E_ARTIFACT_INVALID', 'is missing'],
    ['sha512', 'E_MEDIA_TYPE', 'sha512'],
  ])('refuses %s by one error', async (name, code, text) => {
    const descriptor = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${'1'.repeat(64)}`,
      size: 3,
    };
    mkdirSync(work.path('empty-folder'), { recursive: true });
    await work.write({
      'no-json/index.json': '{',
      'schema1/index.json': '{"schemaVersion":1}',
      'no-blob/index.json': JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }),
      'sha512/index.json': JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor, digest: 'sha512:11' }] }),
    });
    const { stdout, status } = await load([work.path(name)]);
    expect(status).toBe(1);
    expect(JSON.parse(stdout).problems).toMatchObject([{ code, message: expect.stringContaining(text) }]);
  });
});
