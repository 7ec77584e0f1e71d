import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { withIndexGate, type GatePage } from '../../src/resolve/index-gate.ts';
import type { IndexFile } from '../../src/resolve/simple-page.ts';

function wheel(file: string, content: string): IndexFile {
  return {
    file,
    url: `http://index.invalid/files/${file}`,
    digest: digestOf(content),
    size: content.length,
    uploaded: undefined,
    yanked: false,
    requiresPython: undefined,
    hasMetadata: true,
  };
}

const HERE = wheel('a-1-py3-none-any.whl', 'bytes that are here');
const FAR = wheel('a-2-py3-none-any.whl', 'bytes that are elsewhere');

describe('the gate, with a file that is on this machine', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gate-'));
    await writeFile(join(folder, 'stored'), 'bytes that are here');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('gives its bytes, whole and in part, and asks the network for others only', async () => {
    const asked: string[] = [];
    const page: GatePage = { label: 'toys', isKnown: true, usable: [HERE, FAR], refused: [] };
    const index = {
      project: () => Promise.reject(new Error('unreachable: nobody asks for it')),
      sizeOf: () => Promise.resolve(0),
      digestOf: () => Promise.resolve(digestOf('')),
      client: {
        send: ({ url }: { readonly url: string }) => {
          asked.push(url);
          return Promise.reject(new Error('no network'));
        },
      },
    };
    const storedFile = (digest: string): string | undefined =>
      digest === HERE.digest ? join(folder, 'stored') : undefined;
    await withIndexGate({ index, judge: () => Promise.resolve(page), storedFile }, async ({ url }) => {
      const { files } = Object(await (await fetch(`${url}/a/`)).json());
      expect(files.map((file: Record<string, unknown>) => [file['filename'], file['core-metadata']])).toEqual([
        [HERE.file, false],
        [FAR.file, true],
      ]);
      const [here = '', far = ''] = files.map((file: { readonly url: string }) => new URL(file.url, `${url}/a/`).href);
      expect(await (await fetch(here)).text()).toBe('bytes that are here');
      const part = await fetch(here, { headers: { range: 'bytes=6-9' } });
      expect([part.status, await part.text()]).toEqual([206, 'that']);
      expect(asked).toEqual([]);
      expect((await fetch(`${far}.metadata`)).status).toBe(400);
      expect(asked).toEqual([`${FAR.url}.metadata`]);
    });
  });
});
