import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { downloadBlob } from '../../src/publish/download-blob.ts';
import { scratchFolder } from '../store/scratch-store.ts';
import { blobServer } from './blob-server.ts';

const BYTES = 'x'.repeat(20);
/** More than anybody should ask. */
const ENOUGH = 30;

it('downloadBlob() gives up where each attempt begins anew and comes no further', async () => {
  let attempts = 0;
  const registry = await blobServer((_, response) => {
    attempts += 1;
    response.writeHead(200, { 'content-length': `${BYTES.length}` });
    if (attempts > ENOUGH) response.end(BYTES);
    else response.write(BYTES.slice(0, attempts % 2 === 1 ? 5 : 10), () => response.destroy());
  });
  const descriptor = { mediaType: '', digest: digestOf(BYTES), size: BYTES.length };
  const file = join(await scratchFolder(), 'blob');
  const download = { ...descriptor, file, advance: () => undefined, pauseMs: 1 };
  await expect(downloadBlob(registry, download)).rejects.toMatchObject({ code: 'E_REGISTRY' });
  expect(attempts).toBeLessThan(10);
});
