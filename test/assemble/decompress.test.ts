import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../src/assemble/byte-source.ts';
import { decompress, unxzHere } from '../../src/assemble/decompress.ts';
import { isPlainXz } from '../../src/assemble/xz-index.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { findXz, runXz } from '../../src/assemble/xz-process.ts';

const TEXT = 'hello, cellar\n';
/** Written by xz 5.4 with each of its checks, and as two streams; by zstd 1.5. */
const XZ_CRC64 = base64(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQANaGVsbG8sIGNlbGxhcgoAAADpT1hJsqoiJAABJg4IG+AEH7bzfQEAAAAABFla',
);
const XZ_SHA256 = base64(
  '/Td6WFoAAArh+wyhAgAhARYAAAB0L+WjAQANaGVsbG8sIGNlbGxhcgoAAAAbNlfygf+oESvxqUq2nLP5V0wMrJc8abYtxNavdv4OrAABPg5Rg/uGGJtLmgEAAAAAClla',
);
const XZ_TWICE = base64(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAGaGVsbG8sIAAAEDGD4NTJ+DYAAR8HFi64cx+2830BAAAAAARZWv03elhaAAAE5ta0RgIAIQEWAAAAdC/lowEABmNlbGxhcgoAALPyquI3GRwdAAEfBxYuuHMftvN9AQAAAAAEWVo=',
);
const ZSTD = base64('KLUv/QRYcQAAaGVsbG8sIGNlbGxhcgq3PNdH');

function base64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const chunk of chunks) pieces.push(Buffer.from(chunk));
  return Buffer.concat(pieces).toString();
}

/** The member lies in the middle of its source, as in a .deb. */
async function decompressed(name: string, data: Uint8Array): Promise<string> {
  const source = memorySource(Buffer.concat([Buffer.from('before'), data, Buffer.from('behind')]));
  return await textOf(decompress({ source, range: { offset: 6, length: data.length }, name, archive: 'a.deb' }));
}

async function* chunked(data: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += 7) yield data.subarray(at, at + 7);
}

describe('decompress()', () => {
  it.each([
    ['data.tar', Buffer.from(TEXT)],
    ['data.tar.gz', gzipSync(TEXT)],
    ['data.tar.xz', XZ_CRC64],
    ['data.tar.xz', XZ_SHA256],
    ['data.tar.zst', ZSTD],
  ])('reads %s', async (name, data) => {
    expect(await decompressed(name, data)).toBe(TEXT);
  });

  it('refuses an unknown compression', async () => {
    await expect(decompressed('data.tar.lz4', Buffer.from('x'))).rejects.toThrow('has an unknown compression');
  });

  const shortened = [gzipSync(TEXT), XZ_CRC64, ZSTD].flatMap((data, index) => {
    const name = ['data.tar.gz', 'data.tar.xz', 'data.tar.zst'][index] ?? '';
    return [0, 1, 5, data.length >> 1, data.length - 5].map(
      (length) => [name, length, data.subarray(0, length)] as const,
    );
  });

  it.each(shortened)('refuses %s cut to %i bytes', async (name, _, data) => {
    await expect(decompressed(name, data)).rejects.toMatchObject({ code: 'E_ARTIFACT_INVALID' });
  });

  it('gives what xz data held or refuses them, whichever byte is damaged', async () => {
    const outcomes = [...XZ_CRC64.keys()].map(async (at) => {
      const damaged = Buffer.from(XZ_CRC64);
      damaged[at] = (damaged[at] ?? 0) ^ 0x41;
      return await decompressed('data.tar.xz', damaged).catch((error: unknown) => codeOf(error));
    });
    expect([...new Set(await Promise.all(outcomes))]).toEqual(['E_ARTIFACT_INVALID']);
  });
});

function codeOf(error: unknown): unknown {
  return error instanceof RootcellarError ? error.code : error;
}

describe('unxzHere() and runXz()', () => {
  it('give the same bytes', async () => {
    const program = await findXz();
    expect(await textOf(unxzHere(chunked(XZ_CRC64)))).toBe(TEXT);
    if (program === undefined) throw new Error('this machine has no xz: install xz-utils to test the other half');
    expect(await textOf(runXz(program, chunked(XZ_CRC64)))).toBe(TEXT);
  });

  it('read several streams at the same time', async () => {
    const texts = await Promise.all(Array.from({ length: 5 }, async () => await textOf(unxzHere(chunked(XZ_CRC64)))));
    expect(texts).toEqual(Array.from({ length: 5 }, () => TEXT));
  });

  it('leave the way free for others when reading stops early', async () => {
    for await (const chunk of unxzHere(chunked(XZ_CRC64))) {
      expect(chunk).toBeInstanceOf(Uint8Array);
      break;
    }
    expect(await textOf(unxzHere(chunked(XZ_CRC64)))).toBe(TEXT);
  });
});

describe('isPlainXz()', () => {
  it('tells one stream with a common check from everything else', async () => {
    expect(await isPlain(XZ_CRC64)).toBe(true);
    expect(await isPlain(XZ_TWICE)).toBe(false);
    expect(await isPlain(XZ_SHA256)).toBe(false);
    expect(await isPlain(Buffer.concat([XZ_CRC64, Buffer.alloc(4)]))).toBe(false);
    expect(await isPlain(ZSTD)).toBe(false);
    expect(await isPlain(Buffer.alloc(0))).toBe(false);
  });

  it('is why data of several streams are read whole', async () => {
    expect(await decompressed('data.tar.xz', XZ_TWICE)).toBe(TEXT);
  });
});

async function isPlain(data: Uint8Array): Promise<boolean> {
  return await isPlainXz(memorySource(data), { offset: 0, length: data.length });
}
