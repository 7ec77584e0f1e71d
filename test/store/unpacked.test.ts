import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { openContents } from '../../src/store/contents.ts';
import { listImages, readTree } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';
import { loadPackIndex, packPath, readUnpacked, writeUnpacked } from '../../src/store/unpacked.ts';
import {
  childEnd,
  childReady,
  fileEntry,
  inOrder,
  scratchFolder,
  scratchStore,
  startChild,
  TOY_KEY,
  unpackFiles,
} from './scratch-store.ts';

function* broken(): Generator<Uint8Array> {
  yield Buffer.alloc(1_500_000, 'z');
  throw new Error('broken zip');
}

async function reopened(store: Store): Promise<Store> {
  return Store.open({ home: store.home });
}

describe('writeUnpacked()', () => {
  it('keeps an artifact for another process', async () => {
    const store = await scratchStore();
    expect(await readUnpacked(store, TOY_KEY)).toBeUndefined();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one', b: 'two' }));
    expect(await readUnpacked(await reopened(store), TOY_KEY)).toEqual({
      entries: [fileEntry('a', 'one'), fileEntry('b', 'two')],
      scripts: ['postinst'],
      metadata: 'Name: toy',
    });
  });

  it('unpacks once', async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
    const again = await writeUnpacked(await reopened(store), TOY_KEY, () => Promise.reject(new Error('not again')));
    expect(again.entries).toEqual([fileEntry('a', 'one')]);
  });

  it('stores equal contents once, large and small', async () => {
    const store = await scratchStore();
    const large = Buffer.alloc(3_000_000, 'large ');
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: large, b: 'x', c: large, d: 'x', e: large, f: 'end' }));
    expect(statSync(packPath(store, TOY_KEY)).size).toBeLessThan(3_002_000);
    const places = loadPackIndex(packPath(store, TOY_KEY))?.places;
    expect([...(places?.values() ?? [])]).toEqual([
      { offset: 0, size: 3_000_000 },
      { offset: 3_000_000, size: 1 },
      { offset: 3_000_001, size: 3 },
    ]);
  });

  it('keeps contents apart when a caller does not wait', async () => {
    const store = await scratchStore();
    const texts = Array.from({ length: 50 }, (_, index) => `content ${index}`);
    await writeUnpacked(store, TOY_KEY, async (sink) => {
      const written = await Promise.all(
        texts.map((text) => sink.write(text.split('').map((letter) => Buffer.from(letter)))),
      );
      expect(written.map(({ digest }) => digest)).toEqual(texts.map((text) => digestOf(text)));
      return { entries: [], scripts: [], metadata: '' };
    });
    const contents = openContents(store, [TOY_KEY], { verify: true });
    for (const text of texts) {
      expect(Buffer.concat([...contents.chunks(digestOf(text), text.length)]).toString()).toBe(text);
    }
    contents.close();
  });

  it('goes on after a content that failed half-way', async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, async (sink) => {
      await expect(sink.write(broken())).rejects.toThrow('broken zip');
      return unpackFiles({ a: 'sound' })(sink);
    });
    expect(statSync(packPath(store, TOY_KEY)).size).toBeLessThan(2000);
    const contents = openContents(store, [TOY_KEY], { verify: true });
    expect(Buffer.concat([...contents.chunks(digestOf('sound'), 5)]).toString()).toBe('sound');
    contents.close();
  });

  it('leaves nothing when unpacking fails', async () => {
    const store = await scratchStore();
    const failing = writeUnpacked(store, TOY_KEY, () => Promise.reject(new Error('bad wheel')));
    await expect(failing).rejects.toThrow('bad wheel');
    expect(readdirSync(store.path('unpacked'))).toEqual([]);
    expect(await readUnpacked(store, TOY_KEY)).toBeUndefined();
  });

  it('does the work once when two processes want it, and both have it', async () => {
    const home = (await scratchStore()).home;
    const children = [startChild('build', home, '0', '3'), startChild('build', home, '0', '3')];
    expect(await Promise.all(children.map(childEnd))).toEqual([0, 0]);
    expect(readdirSync(`${home}/unpacked`)).toHaveLength(3);
    expect(readdirSync(`${home}/names/toy/amd64`).length).toBeGreaterThanOrEqual(4);
  });

  it('leaves a sound store behind when it is killed at any moment', async () => {
    const home = `${await scratchFolder()}/home`;
    const rounds = Array.from({ length: 12 }, (_, index) => index);
    await inOrder(rounds, async (round) => {
      const child = startChild('build', home, `${round * 10}`, `${round * 10 + 10}`);
      await childReady(child);
      const end = childEnd(child);
      const timer = setTimeout(() => child.kill('SIGKILL'), 10 + round * 17);
      await end;
      clearTimeout(timer);
      expect(await faultsOf(home)).toEqual([]);
    });
  }, 60_000);
});

/** Everything that has a name must be whole, and nothing but that be left once somebody has written again. */
async function faultsOf(home: string): Promise<readonly string[]> {
  const store = await Store.open({ home });
  const packs = readdirSync(store.path('unpacked')).map((name) => loadPackIndex(store.path('unpacked', name)));
  const faults = packs.flatMap((pack) => (pack?.artifact.entries.length === 200 ? [] : ['an unpacked artifact']));
  const images = await listImages(store);
  const trees = await Promise.all(images.map((image) => readTree(store, image)));
  faults.push(...trees.flatMap((tree) => (tree.size === 200 ? [] : ['a tree'])));
  await store.temporaryPath();
  if (readdirSync(store.path('tmp')).length !== 1) faults.push('temporary files');
  await store.close();
  return faults;
}

describe('readUnpacked()', () => {
  it('refuses a damaged index, wherever the damage is', async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
    const path = packPath(store, TOY_KEY);
    const sound = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: sound.length - 1 }), async (at) => {
        const bytes = Buffer.from(sound);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        writeFileSync(path, bytes);
        await expect(readUnpacked(await reopened(store), TOY_KEY)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
      }),
    );
  });

  it.each([0, 1, 88, 200])('refuses a file that was cut to %i bytes', async (length) => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
    truncateSync(packPath(store, TOY_KEY), length);
    await expect(readUnpacked(await reopened(store), TOY_KEY)).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });
});

describe('ContentSink.inspect()', () => {
  it('reads back any part of what was written, from the disk or not yet there', async () => {
    const store = await scratchStore();
    const large = Buffer.alloc(3_000_000, 'abc');
    const seen: string[] = [];
    await writeUnpacked(store, TOY_KEY, async (sink) => {
      const first = await sink.write([large]);
      const second = await sink.write([Buffer.from('hello')]);
      await sink.inspect?.(first.digest, (readAt) => seen.push(Buffer.from(readAt(2_999_997, 3)).toString()));
      await sink.inspect?.(second.digest, (readAt) => seen.push(Buffer.from(readAt(1, 4)).toString()));
      await sink.inspect?.(second.digest, (readAt) => expect(() => readAt(1, 5)).toThrow('beyond'));
      await sink.write([Buffer.from('more')]);
      return { entries: [], scripts: [], metadata: '' };
    });
    expect(seen).toEqual(['abc', 'ello']);
    expect([...(loadPackIndex(packPath(store, TOY_KEY))?.places.values() ?? [])].map(({ size }) => size)).toEqual([
      3_000_000, 5, 4,
    ]);
  });
});

describe('loadPackIndex()', () => {
  it('reads the packs of version 1, whose rows have digests', async () => {
    const store = await scratchStore();
    const hex = digestOf('one').slice(7);
    const index = JSON.stringify({
      contents: [[hex, 0, 3]],
      entries: { origins: ['toy 1'], rows: [['f', 'a', 420, 0, 0, 1000, 0, 3, hex]] },
      metadata: '',
      scripts: [],
    });
    const footer = `RCPK1 ${String(index.length).padStart(16, '0')} ${digestOf(index).slice(7)}\n`;
    writeFileSync(packPath(store, TOY_KEY), `one${index}${footer}`);
    const [entry] = loadPackIndex(packPath(store, TOY_KEY))?.artifact.entries ?? [];
    expect(entry).toMatchObject({ kind: 'file', path: 'a', size: 3, digest: digestOf('one') });
  });
});
