import { constants } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { byteOrder } from '../base/byte-order.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { contentSize, MOST_INPUTS, type InputContent, type InputEntry } from './input-files.ts';

const CHUNK = 1024 ** 2;
const EXECUTABLE = 0o111;

/**
 * A file or folder of this machine as entries for a cell, at `path` there. A link may be named, but none may be in a folder.
 * Throws E_USAGE for what cannot be read, and for anything that is neither file nor folder.
 */
export async function localEntries(local: string, path: string): Promise<readonly InputEntry[]> {
  const entries: InputEntry[] = [];
  await collect(entries, { local, path }, await statusOf(local, stat));
  return entries;
}

interface Place {
  readonly local: string;
  readonly path: string;
}

async function collect(entries: InputEntry[], { local, path }: Place, status: Stats): Promise<void> {
  // Beyond that, `placeInputs` refuses them all.
  if (entries.length > MOST_INPUTS) return;
  const isExecutable = (status.mode & EXECUTABLE) !== 0;
  if (status.isFile()) {
    entries.push({ path, content: { file: local, size: status.size }, isExecutable });
    return;
  }
  if (!status.isDirectory()) throw unusable(local, status.isSymbolicLink() ? 'is a symbolic link' : 'is no file');
  entries.push({ path, content: undefined, isExecutable: true });
  for (const name of (await namesIn(local)).toSorted(byteOrder)) {
    const inner = { local: join(local, name), path: `${path}/${name}` };
    await collect(entries, inner, await statusOf(inner.local, lstat));
  }
}

async function statusOf(local: string, look: (path: string) => Promise<Stats>): Promise<Stats> {
  try {
    return await look(local);
  } catch (cause) {
    throw unusable(local, isErrno(cause, 'ENOENT') ? 'does not exist' : 'cannot be read', cause);
  }
}

async function namesIn(local: string): Promise<readonly string[]> {
  try {
    return await readdir(local);
  } catch (cause) {
    throw unusable(local, 'cannot be read', cause);
  }
}

function unusable(local: string, fault: string, cause?: unknown): RootcellarError {
  return new RootcellarError('E_USAGE', `file: ${quotedWord(local)} ${fault}`, {
    hint: 'name files, or folders of files',
    cause,
  });
}

/**
 * The bytes of all contents, one after another, each exactly as long as it says. Throws E_USAGE where a file cannot be
 * read or has become shorter.
 */
export async function* contentChunks(contents: readonly InputContent[]): AsyncGenerator<Uint8Array> {
  for (const content of contents) {
    if (content instanceof Uint8Array) yield content;
    else if (contentSize(content) > 0) yield* fileChunks(content.file, content.size);
  }
}

/** Not blocking: the file can have become a FIFO since it was looked at. */
async function* fileChunks(path: string, size: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch(
    (cause: unknown) => {
      throw unusable(path, 'cannot be read', cause);
    },
  );
  try {
    for (let done = 0; done < size;) {
      const { bytesRead, buffer } = await file
        .read(Buffer.alloc(Math.min(CHUNK, size - done)), 0, null, null)
        .catch((cause: unknown) => {
          throw unusable(path, 'cannot be read', cause);
        });
      if (bytesRead === 0) throw unusable(path, 'became shorter while it was read');
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
