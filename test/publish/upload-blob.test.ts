import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { uploadBlob } from '../../src/publish/upload-blob.ts';
import { scratchFolder } from '../store/scratch-store.ts';
import { blobServer } from './blob-server.ts';

const BYTES = 'x'.repeat(32);
/** More than anybody should ask. */
const ENOUGH = 100;

it('uploadBlob() gives up on a registry that always says that nothing new has arrived', async () => {
  const file = join(await scratchFolder(), 'blob');
  writeFileSync(file, BYTES);
  for (const range of ['0-0', '0-9']) {
    let pieces = 0;
    const registry = await blobServer((line, response) => {
      const location = '/v2/a/b/blobs/uploads/1';
      if (line.startsWith('HEAD')) response.writeHead(404).end();
      else if (line.startsWith('POST')) response.writeHead(202, { location }).end();
      else if (line.startsWith('PUT')) response.writeHead(pieces < ENOUGH ? 413 : 201).end();
      else {
        pieces += 1;
        response.writeHead(202, { location, range: pieces < ENOUGH ? range : '0-31' }).end();
      }
    });
    const upload = { digest: digestOf(BYTES), size: BYTES.length, file, mountFrom: undefined };
    await expect(uploadBlob(registry, upload)).rejects.toMatchObject({
      code: 'E_REGISTRY',
      message: expect.stringMatching(/has \d+ of 32 bytes, and takes no more/),
    });
    expect(pieces).toBeLessThan(30);
  }
});
