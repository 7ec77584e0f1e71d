import { writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { openContents } from '../../src/store/contents.ts';
import { packPath, writeUnpacked } from '../../src/store/unpacked.ts';
import { scratchStore, TOY_KEY, unpackFiles } from './scratch-store.ts';

describe('openContents()', () => {
  it('gives every content whole, in whatever order they are asked for', async () => {
    const store = await scratchStore();
    const sizes = [0, 1, 10, 5000, 60_000, 64 * 1024, 64 * 1024 + 1, 512 * 1024, 512 * 1024 + 1, 1_300_000, 70];
    const files = sizes.map((size, index) => Buffer.alloc(size, `${index} of it `));
    const keys = [TOY_KEY, digestOf('other')];
    await writeUnpacked(store, TOY_KEY, unpackFiles(Object.fromEntries(files.slice(0, 6).map((f, i) => [`f${i}`, f]))));
    await writeUnpacked(
      store,
      digestOf('other'),
      unpackFiles(Object.fromEntries(files.slice(6).map((f, i) => [`f${i}`, f]))),
    );
    const contents = openContents(store, keys);
    fc.assert(
      fc.property(fc.array(fc.nat(files.length - 1), { minLength: 1, maxLength: 30 }), (order) => {
        for (const index of order) {
          const file = files[index] ?? Buffer.alloc(0);
          const hash = [...copies(contents.chunks(digestOf(file), file.length))];
          expect(Buffer.concat(hash).equals(file)).toBe(true);
        }
      }),
    );
    contents.close();
  });

  it('refuses an artifact that is not there', async () => {
    const store = await scratchStore();
    expect(() => openContents(store, [TOY_KEY])).toThrow(/is missing/);
  });

  it('refuses a content that is not there, or of another size', async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
    const contents = openContents(store, [TOY_KEY]);
    expect(() => contents.chunks(digestOf('two'), 3)).toThrow(/content 3fc4ccfe7458 is missing/);
    expect(() => contents.chunks(digestOf('one'), 4)).toThrow(/has 3 bytes, not 4/);
    contents.close();
  });

  it('with `verify` refuses bytes that have changed', async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one' }));
    writeFileSync(packPath(store, TOY_KEY), 'X', { flag: 'r+' });
    const contents = openContents(store, [TOY_KEY], { verify: true });
    expect(() => [...contents.chunks(digestOf('one'), 3)]).toThrow(/is damaged/);
    contents.close();
  });
});

/** A chunk lives only until the next one. */
function* copies(chunks: Iterable<Uint8Array>): Generator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}
