import type { StdioOptions } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import {
  cellProcess,
  chunksOf,
  collect,
  duplexOf,
  removeCgroups,
  send,
  spawnCell,
  type CellProcess,
} from './cell-process.ts';
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

/** Starts one run. Throws E_USAGE for a plan that cannot be encoded. */
export function launchCell(request: LaunchRequest): RunningCell {
  const plan = encodePlan(request.plan);
  const cell = spawnCell(request.cellPath, stdioOf(request));
  send(duplexOf(cell, 3), plan);
  return superviseCell(cellProcess(cell), request);
}

/** Stdio, plan, status, and where there are any: outputs and contents of files. */
function stdioOf({ stdio, plan }: LaunchRequest): StdioOptions {
  const own = stdio === 'inherit' ? 'inherit' : 'pipe';
  const outputs = plan.outputs === undefined ? 'ignore' : 'pipe';
  const contents = plan.files === undefined ? 'ignore' : 'pipe';
  return [own, own, own, 'pipe', 'pipe', outputs, contents];
}

/** Follows one run to its end. */
export function superviseCell(started: CellProcess, request: LaunchRequest): RunningCell {
  return {
    outcome: outcomeOf(started, request),
    forward: (signal) => {
      started.kill(signal);
    },
  };
}

async function outcomeOf(cell: CellProcess, request: LaunchRequest): Promise<CellOutcome> {
  // The end of what we say on the status socket is the launcher's sign to end the run, and to report that.
  const cancel = (): unknown => cell.status?.end();
  const work = [
    cell.ended,
    sendContents(cell, request),
    follow(cell.stdout, 'stdout', request),
    follow(cell.stderr, 'stderr', request),
    receiveOutputs(cell.outputs, request.outputs ?? []),
    cell.records,
  ] as const;
  // Whatever fails here, the run is over, and nothing of it is left when that is told.
  for (const part of work) part.catch(cancel);
  send(cell.stdin, request.input ?? new Uint8Array());
  if (request.signal?.aborted === true) cancel();
  request.signal?.addEventListener('abort', cancel);
  try {
    await Promise.allSettled(work);
    const [, , stdout, stderr, files, status] = await Promise.all(work);
    const facts = readStatus(status.toString('latin1'));
    // The launcher removes what it made, unless somebody killed it; a name that was taken already is another run's.
    if (!facts.isComplete) await removeCgroups(request.plan.cgroups?.directories ?? []);
    return { facts, stdout, stderr, files };
  } finally {
    request.signal?.removeEventListener('abort', cancel);
  }
}

/** A launcher that goes before it has read everything tells the reason by its status. */
async function sendContents({ contents: stream }: CellProcess, { plan }: LaunchRequest): Promise<void> {
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
  for await (const chunk of chunksOf(stream)) await onOutput?.(name, chunk);
  return Buffer.alloc(0);
}
