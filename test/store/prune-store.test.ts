import { spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { digestOf, hexOf, type Digest } from '../../src/base/digest.ts';
import { holdImage, useFile } from '../../src/store/image-use.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findByInputs, findImage, listGenerations, listImages } from '../../src/store/images.ts';
import { pruneStore, removeImage } from '../../src/store/prune-store.ts';
import { putImage } from '../../src/store/put-image.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { makeSlot } from '../../src/store/slot-folder.ts';
import { withStoreUse } from '../../src/store/store-use.ts';
import type { Store } from '../../src/store/store.ts';
import { switchGeneration } from '../../src/store/switch-generation.ts';
import { writeUnpacked } from '../../src/store/unpacked.ts';
import { verifyStore } from '../../src/store/verify-store.ts';
import { directoryEntry, fileEntry, inOrder, scratchStore, treeOf, unpackFiles } from './scratch-store.ts';

const SIGNAL = new AbortController().signal;
/** After the minute in which what was current before stays. */
const LATER = Date.now() + 3_600_000;
const MANY_BYTES = 200_000;

interface Toy {
  readonly name?: string;
  readonly architecture?: 'amd64' | 'arm64';
  readonly word: string;
  readonly isCandidate?: boolean;
}

/** An image with one file that all have, and one of its own. */
async function put(store: Store, { name = 'toy', architecture = 'amd64', word, isCandidate }: Toy): Promise<Image> {
  const own = word.padEnd(MANY_BYTES, word);
  const shared = digestOf('shared');
  await writeUnpacked(store, shared, unpackFiles({ shared: 'shared' }));
  await writeUnpacked(store, digestOf(word), unpackFiles({ own }));
  const tree = treeOf(directoryEntry('tmp'), fileEntry('own', own), fileEntry('shared', 'shared'));
  const image = { name, architecture, diffId: digestOf(`tar of ${word}`), size: 4096, tree, manifest: {} };
  const inputsKey = digestOf(`inputs of ${name} ${word}`);
  return putImage(store, { ...image, inputsKey, unpackedKeys: [shared, digestOf(word)] }, { isCandidate });
}

async function putAll(store: Store, ...words: readonly string[]): Promise<readonly Image[]> {
  const images: Image[] = [];
  await inOrder(words, async (word) => void images.push(await put(store, { word })));
  return images;
}

async function prune(store: Store, keep: number, more: Partial<Parameters<typeof pruneStore>[1]> = {}) {
  return pruneStore(store, { keep, nowMs: LATER, ...more });
}

async function numbers(
  store: Store,
  name = 'toy',
  architecture: 'amd64' | 'arm64' = 'amd64',
): Promise<readonly number[]> {
  return (await listGenerations(store, name, architecture)).map(({ generation }) => generation);
}

/** But for tars, which these toys have none of. */
async function faults(store: Store): Promise<readonly string[]> {
  const report = await verifyStore(store, { signal: SIGNAL, progress: noProgress });
  return report.faults.map(({ message }) => message).filter((message) => !message.includes('its files give'));
}

function packs(store: Store): readonly string[] {
  return readdirSync(store.path('unpacked')).toSorted();
}

function hexes(...words: readonly string[]): readonly string[] {
  return words.map((word) => hexOf(digestOf(word))).toSorted();
}

async function layOut(store: Store, image: Image): Promise<string> {
  return materialiseRootfs(store, image, { progress: noProgress });
}

describe('pruneStore()', () => {
  it('keeps the current generation and the newest ones, and removes all that no other needs', async () => {
    const store = await scratchStore();
    const images = await putAll(store, 'a', 'b', 'c', 'd');
    const roots = await Promise.all(images.map((image) => layOut(store, image)));
    await makeSlot(store, roots[0] ?? '', 0);
    const { removed, spared, swept } = await prune(store, 2);
    expect(removed).toEqual(images.slice(0, 2));
    expect(spared).toEqual([]);
    expect(await numbers(store)).toEqual([3, 4]);
    expect(roots.map((root) => existsSync(root))).toEqual([false, false, true, true]);
    expect(packs(store)).toEqual(hexes('shared', 'c', 'd'));
    expect(swept.counts).toEqual({ rootfs: 2, slots: 1, images: 2, unpacked: 2, uses: 2 });
    for (const folder of ['images', 'rootfs', 'inputs'] as const)
      expect(readdirSync(store.path(folder))).toHaveLength(2);
    expect(readdirSync(store.path('slots'))).toEqual([]);
    expect(readdirSync(store.path('uses'))).toEqual([]);
    expect(await faults(store)).toEqual([]);
    expect((await prune(store, 2)).removed).toEqual([]);
  });

  it('frees the bytes that it tells, and in a dry run removes nothing but tells the same', async () => {
    const store = await scratchStore();
    const images = await putAll(store, 'a', 'b', 'c');
    const root = await layOut(store, images[0] ?? (await findImage(store, 'toy')));
    await makeSlot(store, root, 0);
    await store.temporaryPath();
    const before = diskUse(store);
    const dry = await prune(store, 1, { isDryRun: true });
    expect(diskUse(store)).toBe(before);
    expect(await numbers(store)).toEqual([1, 2, 3]);
    const real = await prune(store, 1);
    expect(real.removed).toEqual(dry.removed);
    expect(real.swept.bytes).toBe(dry.swept.bytes);
    expect(real.swept.bytes).toBeGreaterThan(3 * MANY_BYTES);
    // Generations themselves and links are not counted.
    expect(Math.abs(before - diskUse(store) - real.swept.bytes)).toBeLessThan(32_768);
  });

  it('keeps what is current after a rollback, and never gives a number twice', async () => {
    const store = await scratchStore();
    const [first] = await putAll(store, 'a', 'b', 'c');
    await switchGeneration(store, { name: 'toy', architecture: 'amd64', to: 1 });
    await prune(store, 1);
    expect(await numbers(store)).toEqual([1]);
    expect(await findImage(store, 'toy')).toEqual(first);
    expect(await faults(store)).toEqual([]);
    expect((await put(store, { word: 'd' })).generation).toBe(4);
    expect(await faults(store)).toEqual([]);
  });

  it('spares for a minute what was current until now', async () => {
    const store = await scratchStore();
    const images = await putAll(store, 'a', 'b', 'c');
    const { removed, spared } = await prune(store, 1, { nowMs: Date.now() });
    expect(removed).toEqual(images.slice(0, 1));
    expect(spared).toEqual([{ image: images[1], reason: 'recent' }]);
    const long = new Date(Date.now() - 120_000);
    lutimesSync(store.path('names', 'toy', 'amd64', 'previous'), long, long);
    expect((await prune(store, 1, { nowMs: Date.now() })).removed).toEqual(images.slice(1, 2));
    expect(await faults(store)).toEqual([]);
  });

  it('prunes the names that it is asked to, and keeps what another name needs', async () => {
    const store = await scratchStore();
    await putAll(store, 'a', 'b');
    await put(store, { name: 'other', word: 'a' });
    await put(store, { name: 'other', word: 'c' });
    const other = await layOut(store, await findImage(store, 'other@1'));
    await prune(store, 1, { names: ['toy'] });
    expect(await numbers(store)).toEqual([2]);
    expect(await numbers(store, 'other')).toEqual([1, 2]);
    expect(packs(store)).toEqual(hexes('shared', 'a', 'b', 'c'));
    expect(existsSync(other)).toBe(true);
    await expect(prune(store, 1, { names: ['toy', 'tpy'] })).rejects.toMatchObject({ code: 'E_IMAGE_NOT_FOUND' });
    expect(await faults(store)).toEqual([]);
  });

  it('counts each architecture by itself', async () => {
    const store = await scratchStore();
    await putAll(store, 'a', 'b', 'c');
    await put(store, { word: 'd', architecture: 'arm64' });
    await prune(store, 2);
    expect(await numbers(store)).toEqual([2, 3]);
    expect(await numbers(store, 'toy', 'arm64')).toEqual([1]);
  });

  it.each([
    ['a service holds', heldByService],
    ['a cell has locked', lockedByOther],
  ])('spares what %s, with all that it needs', async (_, use) => {
    const store = await scratchStore();
    const images = await putAll(store, 'a', 'b', 'c');
    const [first = await findImage(store, 'toy')] = images;
    const root = await layOut(store, first);
    const end = await use(store, first);
    const { removed, spared } = await prune(store, 1);
    expect(removed).toEqual(images.slice(1, 2));
    expect(spared).toEqual([{ image: first, reason: 'in-use' }]);
    expect(await numbers(store)).toEqual([1, 3]);
    expect(existsSync(root)).toBe(true);
    expect(await faults(store)).toEqual([]);
    await end();
    await prune(store, 1);
    expect(await numbers(store)).toEqual([3]);
    expect(existsSync(root)).toBe(false);
  });

  it('leaves the root of a candidate that runs, and removes it afterwards', async () => {
    const store = await scratchStore();
    await putAll(store, 'a');
    const candidate = await put(store, { word: 'b', isCandidate: true });
    const root = await layOut(store, candidate);
    const end = await holdImage(store, candidate);
    await prune(store, 1);
    expect(existsSync(root)).toBe(true);
    end();
    await prune(store, 1);
    expect(existsSync(root)).toBe(false);
    expect(packs(store)).toEqual(hexes('shared', 'a'));
  });

  it('waits for whoever uses the store, and gives up in time', async () => {
    const store = await scratchStore();
    await putAll(store, 'a', 'b');
    const pruned = await withStoreUse(store, async () => {
      await expect(prune(store, 1, { waitMs: 50 })).rejects.toMatchObject({ code: 'E_STORE_BUSY' });
      await writeUnpacked(store, digestOf('new'), unpackFiles({ n: 'new' }));
      return { later: prune(store, 1), isThere: packs(store).length };
    });
    expect(pruned.isThere).toBe(4);
    await pruned.later;
    expect(packs(store)).toEqual(hexes('shared', 'b'));
  });

  it('forgets what it has removed: the same pack is made again', async () => {
    const store = await scratchStore();
    await putAll(store, 'a', 'b');
    await prune(store, 1);
    await withStoreUse(store, () => put(store, { word: 'a' }));
    await layOut(store, await findImage(store, 'toy'));
    expect(await faults(store)).toEqual([]);
  });

  it('keeps downloads that a kept image names, and young ones', async () => {
    const store = await scratchStore();
    const [named, foreign, young] = ['named', 'foreign', 'young'].map((word) => digestOf(word));
    const bill = JSON.stringify({ hash: hexOf(named ?? digestOf('')) });
    await writeUnpacked(store, digestOf('bill'), unpackFiles({ bill }));
    const tree = treeOf(fileEntry('.rootcellar/sbom.cdx.json', bill));
    const unpackedKeys = [digestOf('bill')];
    const rest = { size: 4096, inputsKey: digestOf('inputs'), manifest: {}, tree, unpackedKeys };
    await putImage(store, { name: 'toy', architecture: 'amd64', diffId: digestOf('tar'), ...rest });
    const long = new Date(Date.now() - 2 * 86_400_000);
    const place = (folder: 'artifacts' | 'partial', digest: Digest | undefined, time?: Date): void => {
      const path = store.path(folder, hexOf(digest ?? digestOf('')));
      writeFileSync(path, 'bytes');
      if (time !== undefined) utimesSync(path, time, time);
    };
    place('artifacts', named, long);
    place('artifacts', foreign, long);
    place('artifacts', young);
    place('partial', foreign, long);
    place('partial', young);
    await prune(store, 1, { nowMs: Date.now() });
    expect(readdirSync(store.path('artifacts')).toSorted()).toEqual(hexes('named', 'young'));
    expect(readdirSync(store.path('partial'))).toEqual(hexes('young'));
  });

  it('finds what an image names in whichever of its layers that is, or in none', async () => {
    const store = await scratchStore();
    const bill = JSON.stringify({ hash: hexOf(digestOf('named')) });
    const named = store.path('artifacts', hexOf(digestOf('named')));
    const long = new Date(Date.now() - 2 * 86_400_000);
    writeFileSync(named, 'bytes');
    utimesSync(named, long, long);
    await writeUnpacked(store, digestOf('bill'), unpackFiles({ bill }));
    await writeUnpacked(store, digestOf('above'), unpackFiles({ above: 'above' }));
    const tree = treeOf(fileEntry('.rootcellar/sbom.cdx.json', bill));
    const rest = { architecture: 'amd64', diffId: digestOf('tar'), size: 4096, manifest: {}, tree } as const;
    const layers = [digestOf('bill'), digestOf('above')];
    await putImage(store, { name: 'toy', ...rest, inputsKey: digestOf('1'), unpackedKeys: layers });
    expect((await prune(store, 1)).swept.counts).toEqual({});
    expect(existsSync(named)).toBe(true);
    // A missing layer may be the one that names it.
    unlinkSync(store.path('unpacked', hexOf(digestOf('bill'))));
    await expect(prune(store, 1)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
    await putImage(store, { name: 'toy', ...rest, inputsKey: digestOf('2'), unpackedKeys: [digestOf('above')] });
    await prune(store, 1);
    expect(existsSync(named)).toBe(false);
  });

  it('removes nothing from a store that is damaged', async () => {
    const store = await scratchStore();
    const [, second] = await putAll(store, 'a', 'b');
    unlinkSync(store.path('images', hexOf((second ?? (await findImage(store, 'toy'))).diffId)));
    await expect(prune(store, 1)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
    expect(await numbers(store)).toEqual([1, 2]);
    writeFileSync(store.path('names', 'toy', 'amd64', '1.json'), '{');
    await expect(prune(store, 1)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
    rmSync(store.path('names', 'toy', 'amd64', '2.json'));
    await expect(prune(store, 1)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
    expect(packs(store)).toHaveLength(3);
  });

  it('touches nothing that is not ours', async () => {
    const store = await scratchStore();
    await putAll(store, 'a');
    writeFileSync(store.path('unpacked', 'notes'), 'mine');
    mkdirSync(store.path('rootfs', 'mine'));
    await prune(store, 1);
    expect(existsSync(store.path('unpacked', 'notes'))).toBe(true);
    expect(existsSync(store.path('rootfs', 'mine'))).toBe(true);
  });
});

describe('removeImage()', () => {
  it('removes a name with all of its generations, for one architecture or all', async () => {
    const store = await scratchStore();
    await putAll(store, 'a', 'b');
    await put(store, { word: 'c', architecture: 'arm64' });
    await put(store, { name: 'other', word: 'b' });
    await removeImage(store, { name: 'toy', architecture: 'amd64', nowMs: LATER });
    expect((await listImages(store)).map(({ name, architecture }) => `${name} ${architecture}`)).toEqual([
      'other amd64',
      'toy arm64',
    ]);
    expect(packs(store)).toEqual(hexes('shared', 'b', 'c'));
    await removeImage(store, { name: 'toy', nowMs: LATER });
    expect(readdirSync(store.path('names'))).toEqual(['other']);
    expect(await findByInputs(store, digestOf('inputs of toy b'))).toBeUndefined();
    expect(await faults(store)).toEqual([]);
    expect((await put(store, { word: 'a' })).generation).toBe(1);
  });

  it('removes nothing while one of them is in use, and refuses what is not there', async () => {
    const store = await scratchStore();
    const [first = await findImage(store, 'toy')] = await putAll(store, 'a', 'b');
    const end = await holdImage(store, first);
    await expect(removeImage(store, { name: 'toy', nowMs: LATER })).rejects.toMatchObject({
      code: 'E_STORE_BUSY',
      message: 'image `toy`: generation 1 for amd64 is in use',
    });
    end();
    expect(await numbers(store)).toEqual([1, 2]);
    for (const request of [{ name: 'tyo' }, { name: 'toy', architecture: 'arm64' as const }]) {
      await expect(removeImage(store, { ...request, nowMs: LATER })).rejects.toMatchObject({
        code: 'E_IMAGE_NOT_FOUND',
      });
    }
  });
});

async function heldByService(store: Store, image: Image): Promise<() => Promise<void>> {
  const end = await holdImage(store, image);
  return async () => end();
}

/** As `cell` does, in another process. */
async function lockedByOther(store: Store, image: Image): Promise<() => Promise<void>> {
  const path = useFile(store, image) ?? '';
  const child = spawn('flock', ['--shared', path, '-c', 'echo; read x'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return async () => {
    child.stdin.end('\n');
    await once(child, 'close');
  };
}

function diskUse({ home }: Store): number {
  return 1024 * Number.parseInt(execFileSync('du', ['-sk', home], { encoding: 'utf8' }), 10);
}
