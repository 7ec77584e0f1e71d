import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../src/base/digest.ts';
import { noProgress } from '../src/base/progress.ts';
import type { OfferedImage, OfferedLayer } from '../src/publish/offered-image.ts';
import { findImage, readTree, treePath } from '../src/store/images.ts';
import { putImage } from '../src/store/put-image.ts';
import type { Store } from '../src/store/store.ts';
import { takeImage, type Taken } from '../src/take-image.ts';
import { rawTar } from './assemble/raw-archives.ts';
import { scratchFolder, scratchStore } from './store/scratch-store.ts';

/** A layer with one file. */
async function layerOf(title: string, path: string, content: string): Promise<OfferedLayer> {
  const tar = rawTar([{ name: path, content }]);
  const file = join(await scratchFolder(), 'layer.tar');
  writeFileSync(file, tar);
  const digest = digestOf(tar);
  return { title, digest, diffId: digest, withFile: (use) => use(file) };
}

function imageOf(...layers: readonly OfferedLayer[]): OfferedImage {
  const diffIds = layers.map(({ diffId }) => diffId);
  const config = {
    architecture: 'amd64',
    platform: 'linux/amd64',
    labels: new Map<string, string>(),
    diffIds,
    madeBy: undefined,
  } as const;
  return { architecture: 'amd64', digest: digestOf(JSON.stringify(diffIds)), config, layers };
}

async function take(
  store: Store,
  name: string,
  image: OfferedImage,
  mostUnpacked?: (packedBytes: number) => number,
): Promise<Taken> {
  const { signal } = new AbortController();
  const context = { store, environment: {}, hostArchitecture: 'amd64', signal, progress: noProgress, now: 0 } as const;
  return takeImage(image, { name, trustsPolicy: false, mostUnpacked }, context);
}

describe('takeImage()', () => {
  it('leaves an image of the same bytes as the store knows it', async () => {
    const store = await scratchStore();
    const offered = imageOf(await layerOf('layer-1', 'etc/one', 'one'));
    const { image } = await take(store, 'theirs', offered);
    const origins = async (): Promise<readonly string[]> =>
      [...(await readTree(store, image)).values()].map(({ path, origin }) => `${path} ${origin}`);
    expect(await origins()).toContain('etc/one layer-1');
    // As a build does it, which knows better.
    const tree = new Map(
      [...(await readTree(store, image))].map(([path, entry]) => [path, { ...entry, origin: 'toy 1.0' }]),
    );
    await putImage(store, { ...image, name: 'ours', inputsKey: digestOf('ours'), tree });
    await take(store, 'again', offered);
    expect(await origins()).toContain('etc/one toy 1.0');
    expect((await findImage(store, 'again')).diffId).toBe(image.diffId);
    // A tree that is damaged is made anew.
    writeFileSync(treePath(store, image.diffId), 'damaged');
    await take(store, 'mended', offered);
    expect(existsSync(treePath(store, image.diffId))).toBe(true);
    expect(await origins()).toContain('etc/one layer-1');
  });

  it('bounds what all layers unpack to together, those too that the store has', async () => {
    const store = await scratchStore();
    const [one, two] = [await layerOf('one', 'one', 'x'.repeat(600)), await layerOf('two', 'two', 'y'.repeat(600))];
    const fault = {
      code: 'E_ARTIFACT_INVALID',
      message: 'the layers of the image: together they unpack to far too much',
    };
    await expect(take(store, 'toy', imageOf(one, two), () => 1000)).rejects.toMatchObject(fault);
    // Again, when one of them is there, and when both are.
    await expect(take(store, 'toy', imageOf(one, two), () => 1000)).rejects.toMatchObject(fault);
    for (const layer of [one, two]) await take(store, 'alone', imageOf(layer), () => 1000);
    await expect(take(store, 'toy', imageOf(one, two), () => 1000)).rejects.toMatchObject(fault);
    // The same layer twice is one; and what comes as many bytes may be as many.
    expect((await take(store, 'twice', imageOf(one, one), () => 1000)).image.name).toBe('twice');
    expect((await take(store, 'toy', imageOf(one, two), (packed) => packed)).image.name).toBe('toy');
  });
});
