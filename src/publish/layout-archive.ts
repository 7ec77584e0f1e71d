import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { inByteOrder } from '../base/byte-order.ts';
import { BLOCK, LARGEST_HEADER, writeHeader } from '../pack/tar-header.ts';

/** Writes the files of an image layout as one tar, without dates, owners or folders. `output` is a new file. */
export async function archiveLayout(folder: string, output: string, signal: AbortSignal): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const paths = inByteOrder(files.map((file) => file.slice(folder.length + 1)));
  const members = async function* (): AsyncGenerator<Buffer> {
    for (const path of paths) yield* member(folder, path);
    yield Buffer.alloc(2 * BLOCK);
  };
  await pipeline(members, createWriteStream(output, { flags: 'wx', mode: 0o644 }), { signal });
}

async function* member(folder: string, path: string): AsyncGenerator<Buffer> {
  const { size } = await stat(join(folder, path));
  const header = Buffer.alloc(LARGEST_HEADER);
  const length = writeHeader(header, 0, {
    path,
    type: 'file',
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    link: '',
  });
  yield header.subarray(0, length);
  for await (const chunk of createReadStream(join(folder, path))) yield Buffer.from(chunk);
  yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}
