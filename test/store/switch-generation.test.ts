import { unlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { findByInputs, findImage, readCurrent, treePath } from '../../src/store/images.ts';
import { putImage } from '../../src/store/put-image.ts';
import type { Image } from '../../src/store/image-record.ts';
import type { Store } from '../../src/store/store.ts';
import { switchGeneration } from '../../src/store/switch-generation.ts';
import { writeUnpacked } from '../../src/store/unpacked.ts';
import { fileEntry, scratchStore, TOY_KEY, treeOf, unpackFiles } from './scratch-store.ts';

/** A store in which `toy` has as many generations as words, each of inputs of its own. */
async function generations(...words: readonly string[]): Promise<readonly [Store, readonly Image[]]> {
  const store = await scratchStore();
  await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
  const images: Image[] = [];
  for (const word of words) {
    images.push(
      await putImage(store, {
        name: 'toy',
        architecture: 'amd64',
        diffId: digestOf(word),
        size: 4096,
        inputsKey: digestOf(`inputs of ${word}`),
        manifest: {},
        tree: treeOf(fileEntry('a', 'one')),
        unpackedKeys: [TOY_KEY],
      }),
    );
  }
  return [store, images];
}

describe('switchGeneration()', () => {
  it('goes back to the one before, and forward to any', async () => {
    const [store, images] = await generations('a', 'b', 'c');
    const toy = { name: 'toy', architecture: 'amd64' } as const;
    expect(await switchGeneration(store, { ...toy, to: undefined })).toEqual({ from: images[2], to: images[1] });
    expect(await switchGeneration(store, { ...toy, to: undefined })).toEqual({ from: images[1], to: images[0] });
    expect(await findImage(store, 'toy')).toEqual(images[0]);
    expect(await switchGeneration(store, { ...toy, to: 3 })).toEqual({ from: images[0], to: images[2] });
    expect(await switchGeneration(store, { ...toy, to: 3 })).toEqual({ from: images[2], to: images[2] });
    expect(await readCurrent(store, 'toy', 'amd64')).toEqual(images[2]);
  });

  it('has a build of the same inputs find what is current, and the next image get a number of its own', async () => {
    const [store] = await generations('a', 'b', 'a');
    await switchGeneration(store, { name: 'toy', architecture: 'amd64', to: 1 });
    expect((await findByInputs(store, digestOf('inputs of a')))?.generation).toBe(1);
    expect(await findByInputs(store, digestOf('inputs of b'))).toBeUndefined();
  });

  it.each([
    ['none before', 'amd64', undefined, 'E_GENERATION_NOT_FOUND', 'has none before 1, which is current'],
    ['no such number', 'amd64', 7, 'E_GENERATION_NOT_FOUND', 'has no generation 7'],
    ['none for the architecture', 'arm64', undefined, 'E_IMAGE_NOT_FOUND', 'there is none for arm64'],
  ] as const)('refuses where there is %s', async (_, architecture, to, code, text) => {
    const [store, [image]] = await generations('a');
    await expect(switchGeneration(store, { name: 'toy', architecture, to })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
    expect(await readCurrent(store, 'toy', 'amd64')).toEqual(image);
  });

  it('makes nothing current that is not there as a whole', async () => {
    const [store, images] = await generations('a', 'b');
    unlinkSync(treePath(store, digestOf('a')));
    await expect(switchGeneration(store, { name: 'toy', architecture: 'amd64', to: 1 })).rejects.toMatchObject({
      code: 'E_STORE_INVALID',
    });
    expect(await readCurrent(store, 'toy', 'amd64')).toEqual(images[1]);
  });
});
