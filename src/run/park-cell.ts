import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { collect, duplexOf, endOf, send, spawnCell } from './cell-process.ts';
import { LONGEST_STATUS, superviseCell } from './launch-cell.ts';
import type { CellOutcome, CellProcess, LaunchRequest, RunningCell } from './launch-cell.ts';
import { encodeJob, encodePlan, type Job, type LaunchPlan } from './launch-plan.ts';

/** A cell that is set up, confined and waiting, so that a run in it begins at once. It is for one run. */
export interface ParkedCell {
  /** Settles when it waits for a job, with true, or when it has ended without, with false. */
  readonly ready: Promise<boolean>;
  /** Whether a job would be heard; it may end at any time. */
  readonly isWaiting: () => boolean;
  /** Settles when its launcher has ended, whoever has used it. */
  readonly gone: Promise<void>;
  /** Begins the run. A cell that cannot, since it has ended, gives facts without layers: then nothing was run. */
  readonly begin: (request: JobRequest) => RunningCell;
  /** Ends it without a run. Settles with what it was when nothing of it is left; with its output, if it never was ready. */
  readonly discard: () => Promise<CellOutcome>;
}

export interface JobRequest extends Pick<LaunchRequest, 'onOutput' | 'input' | 'signal'> {
  readonly job: Job;
  readonly stdio: 'capture' | 'stream';
}

const PARKED = 'parked\n';

/** Makes a cell of `plan`, whose program says when it is ready: native/park.h. Throws E_USAGE as `encodePlan` does. */
export function parkCell(plan: LaunchPlan, cellPath: string): ParkedCell {
  const bytes = encodePlan({ ...plan, isParked: true });
  const cell = spawnCell(cellPath, ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'ignore', 'ignore', 'pipe']);
  const started: CellProcess = { cell, ended: endOf(cell), records: collect(duplexOf(cell, 4), LONGEST_STATUS) };
  // Whoever begins or discards it is told.
  started.ended.catch(() => undefined);
  started.records.catch(() => undefined);
  const gone = exitOf(cell);
  let isWaiting = false;
  const ready = Promise.race([readiness(duplexOf(cell, 4)), gone.then(() => false)]).then((answer) => {
    isWaiting = answer;
    return answer;
  });
  cell.once('exit', () => {
    isWaiting = false;
  });
  send(duplexOf(cell, 3), bytes);
  const begin = ({ job, ...request }: JobRequest): RunningCell => {
    isWaiting = false;
    send(duplexOf(cell, 7), encodeJob(job));
    return superviseCell(started, { ...request, plan: { ...plan, limits: job.limits }, cellPath });
  };
  let ended: Promise<CellOutcome> | undefined;
  const discard = (): Promise<CellOutcome> => {
    isWaiting = false;
    ended ??= endUnused(cell, started, { plan, cellPath });
    return ended;
  };
  return { ready, isWaiting: () => isWaiting, gone, begin, discard };
}

/** Before `close`, for which somebody must read its output. */
function exitOf(cell: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    cell.once('exit', () => resolve());
    cell.once('error', () => resolve());
  });
}

/** The first record, before all others by long. */
function readiness(status: Readable | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    let text = '';
    const hear = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (text.length < PARKED.length) return;
      status?.off('data', hear);
      resolve(text.startsWith(PARKED));
    };
    status?.on('data', hear);
  });
}

function endUnused(
  cell: ChildProcess,
  started: CellProcess,
  { plan, cellPath }: Pick<LaunchRequest, 'plan' | 'cellPath'>,
): Promise<CellOutcome> {
  send(duplexOf(cell, 7), new Uint8Array());
  return superviseCell(started, { plan, cellPath, stdio: 'capture' }).outcome;
}
