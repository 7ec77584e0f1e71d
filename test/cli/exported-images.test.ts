import { describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { digestOf } from '../../src/base/digest.ts';
import type { ProgressEvent } from '../../src/base/progress.ts';
import { exportedImages } from '../../src/cli/exported-images.ts';
import { putImage } from '../../src/store/put-image.ts';
import type { Store } from '../../src/store/store.ts';
import { fileEntry, scratchStore, treeOf } from '../store/scratch-store.ts';

async function put(store: Store, architecture: Architecture, origin: string): Promise<void> {
  const identity = digestOf(`${architecture} ${origin}`);
  await putImage(store, {
    name: 'toy',
    architecture,
    diffId: identity,
    size: 1024,
    inputsKey: identity,
    manifest: {},
    tree: treeOf({ ...fileEntry('a', 'one'), origin }),
    unpackedKeys: [],
  });
}

async function told(word: string, store: Store): Promise<{ images: readonly string[]; events: string }> {
  const events: ProgressEvent[] = [];
  const images = await exportedImages(word, {
    store,
    environment: {},
    hostArchitecture: 'amd64',
    signal: new AbortController().signal,
    progress: (event) => events.push(event),
    now: 0,
  });
  return { images: images.map((image) => `${image.architecture} ${image.generation}`), events: JSON.stringify(events) };
}

describe('exportedImages()', () => {
  it('gives the current generation of each architecture', async () => {
    const store = await scratchStore();
    await put(store, 'amd64', 'a 1');
    await put(store, 'amd64', 'a 2+b1');
    await put(store, 'arm64', 'a 2+b7');
    expect(await told('toy', store)).toEqual({ images: ['amd64 2', 'arm64 1'], events: '[]' });
    expect((await told('toy@1', store)).images).toEqual(['amd64 1']);
    expect((await told('toy@arm64', store)).images).toEqual(['arm64 1']);
  });

  it('warns of architectures that hold different versions', async () => {
    const store = await scratchStore();
    await put(store, 'amd64', 'a 2');
    await put(store, 'arm64', 'a 1');
    const { images, events } = await told('toy', store);
    expect(images).toEqual(['amd64 1', 'arm64 1']);
    expect(events).toContain('amd64 and arm64 are of different versions: a 2 and 1');
  });
});
