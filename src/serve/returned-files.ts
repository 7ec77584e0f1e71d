import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { byteOrder } from '../base/byte-order.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import type { OutputRequest } from '../run/output-files.ts';
import type { ReturnedFile } from './run-body.ts';

/**
 * Gives `use` places for outputs, and returns with what it gave the bytes of all that was put there. The places are gone
 * afterwards. What may be put there is the run's limit; no link is followed, since a run brings none.
 */
export async function withReturnedFiles<T>(
  paths: readonly string[],
  use: (outputs: readonly OutputRequest[]) => Promise<T>,
): Promise<{ readonly result: T; readonly files: readonly ReturnedFile[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'rootcellar-outputs-'));
  try {
    const outputs = paths.map((path, index) => ({ path, to: join(folder, `${index}`) }));
    const result = await use(outputs);
    const files: ReturnedFile[] = [];
    for (const output of outputs) files.push(...(await filesAt(output)));
    return { result, files };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function filesAt({ path, to }: OutputRequest): Promise<readonly ReturnedFile[]> {
  try {
    const entries = await readdir(to, { recursive: true, withFileTypes: true });
    const found = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const files: ReturnedFile[] = [];
    for (const file of found.toSorted(byteOrder)) files.push(await read(file, `${path}/${relative(to, file)}`));
    return files;
  } catch (error) {
    // The report says why it could not be taken.
    if (isErrno(error, 'ENOENT')) return [];
    if (isErrno(error, 'ENOTDIR')) return [await read(to, path)];
    throw error;
  }
}

async function read(file: string, path: string): Promise<ReturnedFile> {
  return { path, base64: await readFile(file, 'base64') };
}
