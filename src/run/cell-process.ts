import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { rmdir } from 'node:fs/promises';
import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';

const REMOVE_ATTEMPTS = 100;
const REMOVE_PAUSE_MS = 20;

/** A launcher's process, from its start on, with what connects it with us. */
export interface CellProcess {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The end of what we say there ends the run. */
  readonly status: Duplex | undefined;
  /** Files that the run leaves. */
  readonly outputs: Duplex | undefined;
  /** Contents of files that the plan places. */
  readonly contents: Duplex | undefined;
  /** What a parked cell is to run. */
  readonly job: Writable | undefined;
  /** Settles when it is gone, and everything it has said is read. Rejects with E_SANDBOX when it could not be executed. */
  readonly ended: Promise<void>;
  /** Its status records. */
  readonly records: Promise<Buffer>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** Bounds what a broken launcher could make us keep; whole records are below 16 KiB. */
const LONGEST_STATUS = 65_536;

export function cellProcess(cell: ChildProcess): CellProcess {
  const status = duplexOf(cell, 4);
  return {
    stdin: cell.stdin,
    stdout: cell.stdout,
    stderr: cell.stderr,
    status,
    outputs: duplexOf(cell, 5),
    contents: duplexOf(cell, 6),
    job: duplexOf(cell, 7),
    ended: endOf(cell),
    records: statusRecords(status),
    kill: (signal) => {
      cell.kill(signal);
    },
  };
}

export function statusRecords(status: Readable | undefined): Promise<Buffer> {
  return collect(status, LONGEST_STATUS);
}

/** Starts the launcher. A session of its own: the terminal's signals reach it only once, through us. */
export function spawnCell(cellPath: string, stdio: StdioOptions): ChildProcess {
  return spawn(cellPath, ['run'], { detached: true, env: {}, cwd: '/', stdio });
}

function endOf(cell: ChildProcess): Promise<void> {
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

/** What comes, until the other side ends, or goes with something of ours unread. */
export async function* chunksOf(stream: Readable | null | undefined): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const chunk of stream ?? []) yield Buffer.from(chunk);
  } catch (error) {
    if (!isErrno(error, 'ECONNRESET') && !isErrno(error, 'EPIPE')) throw error;
  }
}

/** All of a stream, of which the first `most` bytes are kept. */
export async function collect(stream: Readable | null | undefined, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const bytes of chunksOf(stream)) {
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
