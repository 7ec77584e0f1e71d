import { describe, expect, it } from 'vitest';
import { digestOf, type Digest } from '../../src/base/digest.ts';
import { offeredImages, type BlobSource, type OfferedImage } from '../../src/publish/offered-image.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

interface ToySource extends BlobSource {
  /** Digests of the texts that were asked for, in that order. */
  readonly asked: readonly Digest[];
}

function sourceOf(...texts: readonly string[]): ToySource {
  const byDigest = new Map(texts.map((text) => [digestOf(text), text]));
  const asked: Digest[] = [];
  return {
    title: 'toy',
    asked,
    text: ({ digest }) => {
      asked.push(digest);
      return Promise.resolve(byDigest.get(digest) ?? '');
    },
    withFile: () => Promise.reject(new Error('no layer is asked for')),
  };
}

function entryOf(text: string, mediaType: string, platform?: object): object {
  return { mediaType, digest: digestOf(text), size: text.length, platform };
}

function indexOf(manifests: readonly object[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
}

const CONFIG = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } });
const IMAGE = JSON.stringify({
  schemaVersion: 2,
  mediaType: MANIFEST,
  config: entryOf(CONFIG, 'application/vnd.oci.image.config.v1+json'),
  layers: [],
});
const AMD64 = { os: 'linux', architecture: 'amd64' };

async function offered(source: BlobSource, text: string): Promise<readonly OfferedImage[]> {
  return offeredImages(source, { text, mediaType: INDEX }, ['amd64']);
}

describe('offeredImages()', () => {
  it('finds an image in an index in an index, and reads each of them once', async () => {
    const inner = indexOf([entryOf(IMAGE, MANIFEST), entryOf(IMAGE, MANIFEST)]);
    const source = sourceOf(IMAGE, CONFIG, inner);
    const top = indexOf([entryOf(inner, INDEX), entryOf(inner, INDEX)]);
    expect(await offered(source, top)).toMatchObject([{ architecture: 'amd64', digest: digestOf(IMAGE) }]);
    expect(source.asked.filter((digest) => digest === digestOf(inner))).toHaveLength(1);
    // Once for what it is for, and once for the image.
    expect(source.asked.filter((digest) => digest === digestOf(IMAGE))).toHaveLength(2);
  });

  it('refuses more entries than anybody has, however they are spread over indexes', async () => {
    const many = indexOf(Array.from({ length: 16_000 }, () => entryOf(IMAGE, MANIFEST, AMD64)));
    const fault = { code: 'E_ARTIFACT_INVALID', message: 'toy: has more than 4096 entries in its indexes' };
    await expect(offered(sourceOf(IMAGE, CONFIG, many), many)).rejects.toMatchObject(fault);
    const tenTimes = indexOf(Array.from({ length: 10 }, () => entryOf(many, INDEX)));
    await expect(offered(sourceOf(IMAGE, CONFIG, many), tenTimes)).rejects.toMatchObject(fault);
    const parts = [1, 2, 3].map((part) =>
      indexOf(Array.from({ length: 2000 }, () => entryOf(IMAGE, MANIFEST, { ...AMD64, variant: `v${part}` }))),
    );
    const spread = indexOf(parts.map((part) => entryOf(part, INDEX)));
    await expect(offered(sourceOf(IMAGE, CONFIG, ...parts), spread)).rejects.toMatchObject(fault);
  });

  it('refuses indexes in indexes without end', async () => {
    const texts = [indexOf([entryOf(IMAGE, MANIFEST)])];
    for (let depth = 0; depth < 5; depth += 1) texts.unshift(indexOf([entryOf(texts[0] ?? '', INDEX)]));
    await expect(offered(sourceOf(IMAGE, CONFIG, ...texts), texts[0] ?? '')).rejects.toThrow('without end');
  });
});
