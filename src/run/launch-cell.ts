import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { rmdir } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { Duplex, Readable, Writable } from 'node:stream';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { encodePlan, type LaunchPlan } from './launch-plan.ts';
import { readStatus, type CellFacts } from './status-reader.ts';

export interface LaunchRequest {
  readonly plan: LaunchPlan;
  /** Absolute path of the native launcher. */
  readonly cellPath: string;
  /** `inherit`: the program has the caller's stdio. `capture`: it gets `input`, and its output is kept. */
  readonly stdio: 'inherit' | 'capture';
  /** With `capture`: what the program reads; nothing when undefined. */
  readonly input?: Uint8Array | undefined;
  /** Ends the run; the facts then say `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

export interface CellOutcome {
  readonly facts: CellFacts;
  /** Empty unless captured. Not longer than the plan's output limit. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
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
    stdio: stdioOf(request.stdio),
  });
  return {
    outcome: superviseCell(cell, request, plan),
    forward: (signal) => {
      cell.kill(signal);
    },
  };
}

function stdioOf(stdio: 'inherit' | 'capture'): StdioOptions {
  const own = stdio === 'inherit' ? 'inherit' : 'pipe';
  return [own, own, own, 'pipe', 'pipe'];
}

async function superviseCell(cell: ChildProcess, request: LaunchRequest, plan: Uint8Array): Promise<CellOutcome> {
  const ended = endOf(cell);
  const status = readableOf(cell, 4);
  const kept = [
    collect(cell.stdout, request.plan.limits.outputBytes),
    collect(cell.stderr, request.plan.limits.outputBytes),
    collect(status, LONGEST_STATUS),
  ];
  send(readableOf(cell, 3), plan);
  send(cell.stdin, request.input ?? new Uint8Array());
  // The end of what we say on the status socket is the launcher's sign to end the run, and to report that.
  const cancel = (): unknown => status?.end();
  if (request.signal?.aborted === true) cancel();
  request.signal?.addEventListener('abort', cancel);
  try {
    const [, stdout, stderr, records] = await Promise.all([ended, ...kept]);
    const facts = readStatus(records?.toString('latin1') ?? '');
    // The launcher removes what it made, unless somebody killed it; a name that was taken already is another run's.
    if (!facts.isComplete) await removeCgroups(request.plan.cgroups?.directories ?? []);
    return {
      facts,
      stdout: stdout ?? Buffer.alloc(0),
      stderr: stderr ?? Buffer.alloc(0),
    };
  } finally {
    request.signal?.removeEventListener('abort', cancel);
  }
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
function readableOf(cell: ChildProcess, index: 3 | 4): Duplex | undefined {
  const stream: unknown = cell.stdio[index];
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
