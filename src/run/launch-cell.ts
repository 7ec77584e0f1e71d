import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { rmdir } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { Duplex, Readable, Writable } from 'node:stream';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { encodePlan, type LaunchPlan } from './launch-plan.ts';
import { contentChunks } from './local-files.ts';
import { receiveOutputs, type OutputRequest } from './output-files.ts';
import type { TakenFile } from './run-report.ts';
import { readStatus, type CellFacts } from './status-reader.ts';

export interface LaunchRequest {
  readonly plan: LaunchPlan;
  /** Absolute path of the native launcher. */
  readonly cellPath: string;
  readonly stdio: StdioMode;
  /** With `stream`: gets the output as it comes. What it throws ends the run. */
  readonly onOutput?: OutputListener | undefined;
  /** For each of the plan's outputs, where it goes. */
  readonly outputs?: readonly OutputRequest[] | undefined;
  /** Unless inherited: what the program reads; nothing when undefined. */
  readonly input?: Uint8Array | undefined;
  /** Ends the run; the facts then say `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/** `inherit`: the program has the caller's stdio. Else it gets `input`; `capture`: its output is kept; `stream`: handed on. */
export type StdioMode = 'inherit' | 'capture' | 'stream';

/**
 * Gets bytes in the order in which each stream was written. Until what it returns is settled, that stream waits, and in the
 * end the program does; its time counts. Both streams together never hand on more than their limits.
 */
export type OutputListener = (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void | Promise<void>;

export interface CellOutcome {
  readonly facts: CellFacts;
  /** Empty unless captured. Not longer than the plan's output limit. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** What became of the plan's outputs. */
  readonly files: readonly TakenFile[];
}

export interface RunningCell {
  /** Settles when nothing of the cell is left. Rejects with E_SANDBOX when the launcher itself cannot be used. */
  readonly outcome: Promise<CellOutcome>;
  /** Passes a signal on to the program; SIGKILL and SIGSTOP cannot be. */
  readonly forward: (signal: ForwardedSignal) => void;
}

export type ForwardedSignal = 'SIGHUP' | 'SIGINT' | 'SIGQUIT' | 'SIGTERM' | 'SIGUSR1' | 'SIGUSR2';

/** Bounds what a broken launcher could make us keep; whole records are below 16 KiB. */
const LONGEST_STATUS = 65_536;
const REMOVE_ATTEMPTS = 100;
const REMOVE_PAUSE_MS = 20;

/** Starts one run. Throws E_USAGE for a plan that cannot be encoded. */
export function launchCell(request: LaunchRequest): RunningCell {
  const plan = encodePlan(request.plan);
  const cell = spawn(request.cellPath, ['run'], {
    // A session of its own: the terminal's signals reach it through `forward` alone, and so only once.
    detached: true,
    env: {},
    cwd: '/',
    stdio: stdioOf(request),
  });
  return {
    outcome: superviseCell(cell, request, plan),
    forward: (signal) => {
      cell.kill(signal);
    },
  };
}

/** Stdio, plan, status, and where there are any: outputs and contents of files. */
function stdioOf({ stdio, plan }: LaunchRequest): StdioOptions {
  const own = stdio === 'inherit' ? 'inherit' : 'pipe';
  const outputs = plan.outputs === undefined ? 'ignore' : 'pipe';
  const contents = plan.files === undefined ? 'ignore' : 'pipe';
  return [own, own, own, 'pipe', 'pipe', outputs, contents];
}

async function superviseCell(cell: ChildProcess, request: LaunchRequest, plan: Uint8Array): Promise<CellOutcome> {
  const ended = endOf(cell);
  const status = duplexOf(cell, 4);
  // The end of what we say on the status socket is the launcher's sign to end the run, and to report that.
  const cancel = (): unknown => status?.end();
  const work = [
    ended,
    sendContents(cell, request),
    follow(cell.stdout, 'stdout', request),
    follow(cell.stderr, 'stderr', request),
    receiveOutputs(duplexOf(cell, 5), request.outputs ?? []),
    collect(status, LONGEST_STATUS),
  ] as const;
  // Whatever fails here, the run is over, and nothing of it is left when that is told.
  for (const part of work) part.catch(cancel);
  send(duplexOf(cell, 3), plan);
  send(cell.stdin, request.input ?? new Uint8Array());
  if (request.signal?.aborted === true) cancel();
  request.signal?.addEventListener('abort', cancel);
  try {
    await Promise.allSettled(work);
    const [, , stdout, stderr, files, records] = await Promise.all(work);
    const facts = readStatus(records.toString('latin1'));
    // The launcher removes what it made, unless somebody killed it; a name that was taken already is another run's.
    if (!facts.isComplete) await removeCgroups(request.plan.cgroups?.directories ?? []);
    return { facts, stdout, stderr, files };
  } finally {
    request.signal?.removeEventListener('abort', cancel);
  }
}

/** A launcher that goes before it has read everything tells the reason by its status. */
async function sendContents(cell: ChildProcess, { plan }: LaunchRequest): Promise<void> {
  const stream = duplexOf(cell, 6);
  if (stream === undefined) return;
  stream.on('error', () => undefined);
  const contents = (plan.files ?? []).flatMap(({ content }) => (content === undefined ? [] : [content]));
  try {
    await pipeline(contentChunks(contents), stream);
  } catch (error) {
    if (error instanceof RootcellarError) throw error;
  }
}

/** Keeps what the request wants kept. */
async function follow(
  stream: Readable | null,
  name: 'stdout' | 'stderr',
  { stdio, onOutput, plan }: LaunchRequest,
): Promise<Buffer> {
  if (stdio !== 'stream') return collect(stream, plan.limits.outputBytes);
  for await (const chunk of stream ?? []) await onOutput?.(name, Buffer.from(chunk));
  return Buffer.alloc(0);
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
function duplexOf(cell: ChildProcess, index: 3 | 4 | 5 | 6): Duplex | undefined {
  const streams: readonly unknown[] = cell.stdio;
  const stream = streams[index];
  return isDuplex(stream) ? stream : undefined;
}

function isDuplex(stream: unknown): stream is Duplex {
  return typeof stream === 'object' && stream !== null && 'read' in stream && 'write' in stream;
}

/** The other side may go before it has read everything; what that means, its status tells. */
function send(stream: Writable | null | undefined, bytes: Uint8Array): void {
  stream?.on('error', () => undefined);
  stream?.end(bytes);
}

async function collect(stream: Readable | null | undefined, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    const bytes: Buffer = Buffer.from(chunk);
    if (length < most) chunks.push(bytes.subarray(0, most - length));
    length += bytes.length;
  }
  return Buffer.concat(chunks);
}

async function removeCgroups(directories: readonly string[]): Promise<void> {
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
