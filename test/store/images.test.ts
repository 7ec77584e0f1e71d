import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import {
  findByInputs,
  findImage,
  imageContents,
  listGenerations,
  listImages,
  readTree,
  treePath,
} from '../../src/store/images.ts';
import { putImage } from '../../src/store/put-image.ts';
import type { NewImage } from '../../src/store/put-image.ts';
import { Store } from '../../src/store/store.ts';
import { packPath, writeUnpacked } from '../../src/store/unpacked.ts';
import {
  directoryEntry,
  fileEntry,
  scratchStore,
  symlinkEntry,
  TOY_KEY,
  treeOf,
  unpackFiles,
} from './scratch-store.ts';

const TREE = treeOf(directoryEntry('bin'), fileEntry('bin/a', 'one'), symlinkEntry('sbin', 'bin'));

function toyImage(changes: Partial<NewImage> = {}): NewImage {
  return {
    name: 'toy',
    architecture: 'amd64',
    diffId: digestOf('tar'),
    size: 4096,
    inputsKey: digestOf('inputs'),
    manifest: { epoch: 7, filters: ['x', null, true] },
    tree: TREE,
    unpackedKeys: [TOY_KEY],
    ...changes,
  };
}

async function storedImage(store: Store, changes: Partial<NewImage> = {}): Promise<NewImage> {
  await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
  return toyImage(changes);
}

describe('putImage()', () => {
  it('makes the first generation, to be found by name, digest and inputs', async () => {
    const store = await scratchStore();
    const image = await putImage(store, await storedImage(store));
    expect(image.generation).toBe(1);
    expect(await findImage(store, 'toy')).toEqual(image);
    expect(await findImage(store, image.diffId)).toEqual(image);
    expect(await findImage(store, image.diffId.slice(7, 15), 'amd64')).toEqual(image);
    expect(await findByInputs(store, digestOf('inputs'))).toEqual(image);
    expect(await readTree(store, image)).toEqual(TREE);
  });

  it('keeps a candidate by its files alone, until it is put again', async () => {
    const store = await scratchStore();
    await putImage(store, await storedImage(store));
    const other = toyImage({ diffId: digestOf('other tar'), inputsKey: digestOf('other inputs') });
    const candidate = await putImage(store, other, { isCandidate: true });
    expect(candidate).toMatchObject({ generation: 2, diffId: other.diffId });
    expect(await readTree(store, candidate)).toEqual(TREE);
    expect(await listGenerations(store, 'toy', 'amd64')).toHaveLength(1);
    expect(await findByInputs(store, digestOf('other inputs'))).toBeUndefined();
    expect(await putImage(store, { ...candidate, tree: TREE })).toEqual(candidate);
    expect(await findImage(store, 'toy')).toEqual(candidate);
    expect(await putImage(store, other, { isCandidate: true })).toEqual(candidate);
  });

  it('makes no new generation of the same image', async () => {
    const store = await scratchStore();
    await putImage(store, toyImage());
    expect((await putImage(store, toyImage())).generation).toBe(1);
    expect(await listGenerations(store, 'toy', 'amd64')).toHaveLength(1);
  });

  it('switches to a new generation and back again, and keeps the old ones', async () => {
    const store = await scratchStore();
    const other = toyImage({ diffId: digestOf('other tar'), inputsKey: digestOf('other inputs') });
    await putImage(store, await storedImage(store));
    await putImage(store, other);
    expect((await findImage(store, 'toy')).diffId).toBe(other.diffId);
    expect(await findByInputs(store, digestOf('inputs'))).toBeUndefined();
    expect((await findImage(store, digestOf('tar'))).generation).toBe(1);
    expect((await putImage(store, toyImage())).generation).toBe(3);
    expect((await findByInputs(store, digestOf('inputs')))?.generation).toBe(3);
    expect((await listGenerations(store, 'toy', 'amd64')).map(({ diffId }) => diffId)).toEqual([
      digestOf('tar'),
      digestOf('other tar'),
      digestOf('tar'),
    ]);
  });

  it('makes a new generation when only the manifest is new', async () => {
    const store = await scratchStore();
    await putImage(store, toyImage());
    expect((await putImage(store, toyImage({ manifest: { epoch: 8 } }))).generation).toBe(2);
    expect((await findImage(store, 'toy')).manifest).toEqual({ epoch: 8 });
  });

  it('keeps architectures side by side', async () => {
    const store = await scratchStore();
    const arm = toyImage({ architecture: 'arm64', diffId: digestOf('arm'), inputsKey: digestOf('arm inputs') });
    await putImage(store, await storedImage(store));
    await putImage(store, arm);
    expect((await findImage(store, 'toy', 'arm64')).diffId).toBe(digestOf('arm'));
    expect((await findImage(store, 'toy', 'amd64')).diffId).toBe(digestOf('tar'));
    expect(await findByInputs(store, digestOf('inputs'))).toBeDefined();
    expect((await listImages(store)).map(({ architecture }) => architecture)).toEqual(['amd64', 'arm64']);
  });

  it('gives every one of several images at once its own generation', async () => {
    const store = await scratchStore();
    const images = Array.from({ length: 6 }, (_, index) => toyImage({ diffId: digestOf(`${index}`) }));
    const put = await Promise.all(images.map((image) => putImage(store, image)));
    expect(put.map(({ generation }) => generation).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await findImage(store, 'toy')).generation).toBe(6);
  });

  it('refuses a name that would leave its folder', async () => {
    const store = await scratchStore();
    await expect(putImage(store, toyImage({ name: '../toy' }))).rejects.toThrow('unreachable');
  });
});

describe('findByInputs()', () => {
  it('finds nothing when a part of the image is missing, until it is put again', async () => {
    const store = await scratchStore();
    const image = await putImage(store, await storedImage(store));
    expect(await findByInputs(store, image.inputsKey)).toEqual(image);
    unlinkSync(packPath(store, TOY_KEY));
    expect(await findByInputs(store, image.inputsKey)).toBeUndefined();
    const other = await Store.open({ home: store.home });
    await putImage(other, await storedImage(other));
    expect(await findByInputs(other, image.inputsKey)).toEqual(image);
    unlinkSync(treePath(store, image.diffId));
    expect(await findByInputs(store, image.inputsKey)).toBeUndefined();
  });
});

describe('findImage()', () => {
  it('says which image might be meant', async () => {
    const store = await scratchStore();
    await putImage(store, toyImage());
    await expect(findImage(store, 'tyo')).rejects.toMatchObject({
      code: 'E_IMAGE_NOT_FOUND',
      hint: 'did you mean `toy`?',
    });
  });

  it.each(['', '..', '../names', 'a/b', 'sha256:', 'abc', '\0', 'x'.repeat(5000)])(
    'finds nothing as %j',
    async (name) => {
      const store = await scratchStore();
      await putImage(store, toyImage());
      await expect(findImage(store, name)).rejects.toMatchObject({ code: 'E_IMAGE_NOT_FOUND' });
    },
  );

  it('says for which architecture there is one', async () => {
    const store = await scratchStore();
    await putImage(store, toyImage());
    await expect(findImage(store, 'toy', 'arm64')).rejects.toMatchObject({
      code: 'E_IMAGE_NOT_FOUND',
      message: 'image `toy`: there is none for arm64',
      hint: 'build it for arm64; there is one for amd64',
    });
  });

  it('refuses a prefix that several images have', async () => {
    const store = await scratchStore();
    await putImage(store, toyImage({ diffId: `sha256:abcdef0${'1'.repeat(57)}` }));
    await putImage(store, toyImage({ diffId: `sha256:abcdef0${'2'.repeat(57)}` }));
    await expect(findImage(store, 'abcdef0')).rejects.toThrow(/several images begin so/);
    expect((await findImage(store, 'abcdef02')).generation).toBe(2);
  });

  it('refuses a damaged record', async () => {
    const store = await scratchStore();
    await putImage(store, toyImage());
    writeFileSync(store.path('names', 'toy', 'amd64', '1.json'), '{"name":"toy"}');
    await expect(findImage(store, 'toy')).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });
});

describe('readTree()', () => {
  it('refuses a tree with one bit changed', async () => {
    const store = await scratchStore();
    const image = await putImage(store, toyImage());
    const path = treePath(store, image.diffId);
    writeFileSync(path, readFileSync(path, 'utf8').replace('bin/a', 'bin/b'));
    await expect(readTree(store, image)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });
});

describe('imageContents()', () => {
  it("gives the contents of the image's files", async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
    const contents = imageContents(store, await putImage(store, toyImage()));
    expect(Buffer.concat([...contents.chunks(digestOf('one'), 3)]).toString()).toBe('one');
    contents.close();
  });
});

it('findImage() knows generations and architectures by name', async () => {
  const store = await scratchStore();
  const first = await putImage(store, await storedImage(store));
  const second = await putImage(store, toyImage({ diffId: digestOf('second'), inputsKey: digestOf('other') }));
  const foreign = await putImage(store, toyImage({ architecture: 'arm64', diffId: digestOf('third') }));
  expect(await findImage(store, 'toy@1')).toEqual(first);
  expect(await findImage(store, 'toy@2', 'amd64')).toEqual(second);
  expect(await findImage(store, 'toy@arm64', 'amd64')).toEqual(foreign);
  expect(await findImage(store, 'toy@arm64@1')).toEqual(foreign);
  for (const reference of ['toy@3', 'toy@arm64@2', 'toy@', 'toy@1@2', 'toy@amd64@arm64', '../toy@1', 'toy@0']) {
    await expect(findImage(store, reference)).rejects.toMatchObject({ code: 'E_IMAGE_NOT_FOUND' });
  }
});
