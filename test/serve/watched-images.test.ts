import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import type { Upgrade } from '../../src/serve/image-source.ts';
import { UNWATCHED } from '../../src/serve/service-watch.ts';
import { WatchedImages } from '../../src/serve/watched-images.ts';
import { toyCellar, type ToyCellar } from '../support/toy-service.ts';

let cellar: ToyCellar;

beforeAll(async () => {
  cellar = await toyCellar();
}, 120_000);

afterAll(() => cellar[Symbol.asyncDispose]());

interface Opened {
  readonly images: WatchedImages;
  readonly notices: string[];
}

async function open(build: (upgrade: Upgrade) => Promise<void>): Promise<Opened> {
  const notices: string[] = [];
  const images = await WatchedImages.open({
    store: cellar.store,
    first: cellar.image,
    name: undefined,
    architecture: cellar.image.architecture,
    build: async (upgrade) => {
      await build(upgrade);
      return cellar.image;
    },
    watch: { ...UNWATCHED, noticed: ({ message }) => void notices.push(message) },
    everyMs: 10,
  });
  return { images, notices };
}

describe('WatchedImages', () => {
  it('builds once for all who ask while another build is under way', async () => {
    const begun: Upgrade[] = [];
    const waiting: (() => void)[] = [];
    const { images } = await open(async (upgrade) => {
      begun.push(upgrade);
      await new Promise<void>((resolve) => waiting.push(resolve));
    });
    const asked = [images.refresh('none')];
    await expect.poll(() => begun).toEqual(['none']);
    asked.push(images.refresh('none'), images.refresh('none'), images.refresh('all'));
    for (const count of [1, 2, 3]) {
      await expect.poll(() => waiting.length).toBe(count);
      waiting[count - 1]?.();
    }
    await Promise.all(asked);
    expect(begun).toEqual(['none', 'none', 'all']);
    await images.close();
  });

  it('tells a problem once, and forgets it when all is well', async () => {
    let isBroken = true;
    const place = { file: 'requirements.txt', line: 3, column: 1 };
    const { images, notices } = await open(async () => {
      if (isBroken) throw new RootcellarError('E_REQUIREMENT_SYNTAX', 'is none', { hint: 'mend it', place });
    });
    const problem = 'requirements.txt:3:1: is none; mend it';
    await expect(images.refresh('none')).rejects.toThrow('is none');
    await expect(images.refresh('none')).rejects.toThrow('is none');
    expect([images.problem(), notices.filter((one) => one === problem)]).toEqual([problem, [problem]]);
    isBroken = false;
    await images.refresh('none');
    expect(images.problem()).toBeUndefined();
    expect(images.current()?.image).toEqual(cellar.image);
    await images.close();
  });

  it('waits in the end for what is being built, and takes a stop for no problem', async () => {
    let stop: ((error: Error) => void) | undefined;
    const { images, notices } = await open(
      () =>
        new Promise<void>((_, reject) => {
          stop = reject;
        }),
    );
    const before = notices.length;
    const asked = images.refresh('none');
    let isClosed = false;
    const close = async (): Promise<void> => {
      await images.close();
      isClosed = true;
    };
    const closed = close();
    await expect.poll(() => stop).toBeDefined();
    expect(isClosed).toBe(false);
    stop?.(new RootcellarError('E_CANCELLED', 'stopped'));
    await expect(asked).rejects.toThrow('stopped');
    await closed;
    expect([images.problem(), notices.length]).toEqual([undefined, before]);
  });
});
