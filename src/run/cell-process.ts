import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { rmdir } from 'node:fs/promises';
import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';

const REMOVE_ATTEMPTS = 100;
const REMOVE_PAUSE_MS = 20;

/** Starts the launcher. A session of its own: the terminal's signals reach it only once, through us. */
export function spawnCell(cellPath: string, stdio: StdioOptions): ChildProcess {
  return spawn(cellPath, ['run'], { detached: true, env: {}, cwd: '/', stdio });
}

/** Settles when the launcher is gone. Rejects with E_SANDBOX when it cannot be executed. */
export function endOf(cell: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    cell.once('error', (cause) => {
      reject(
        new RootcellarError('E_SANDBOX', `launcher: \`${cell.spawnfile}\` cannot be executed`, {
          hint: 'run `make -C native`, or reinstall rootcellar',
          cause,
        }),
      );
    });
    cell.once('close', () => resolve());
  });
}

/** A pipe of Node's is a socket in both directions. */
export function duplexOf(cell: ChildProcess, index: 3 | 4 | 5 | 6 | 7): Duplex | undefined {
  const streams: readonly unknown[] = cell.stdio;
  const stream = streams[index];
  return isDuplex(stream) ? stream : undefined;
}

function isDuplex(stream: unknown): stream is Duplex {
  return typeof stream === 'object' && stream !== null && 'read' in stream && 'write' in stream;
}

/** The other side may go before it has read everything; what that means, its status tells. */
export function send(stream: Writable | null | undefined, bytes: Uint8Array): void {
  stream?.on('error', () => undefined);
  stream?.end(bytes);
}

/** All of a stream, of which the first `most` bytes are kept. */
export async function collect(stream: Readable | null | undefined, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    const bytes: Buffer = Buffer.from(chunk);
    if (length < most) chunks.push(bytes.subarray(0, most - length));
    length += bytes.length;
  }
  return Buffer.concat(chunks);
}

/** What a launcher that was killed has left. */
export async function removeCgroups(directories: readonly string[]): Promise<void> {
  await Promise.all(directories.map((directory) => removeCgroup(directory, REMOVE_ATTEMPTS)));
}

/** The kernel calls a group busy until the last process in it has been taken apart. */
async function removeCgroup(directory: string, attempts: number): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    if (!isErrno(error, 'EBUSY') || attempts === 0) throw error;
    await setTimeout(REMOVE_PAUSE_MS);
    await removeCgroup(directory, attempts - 1);
  }
}
