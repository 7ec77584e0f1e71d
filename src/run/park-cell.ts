import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { cellProcess, duplexOf, send, spawnCell, type CellProcess } from './cell-process.ts';
import { superviseCell, type CellOutcome, type LaunchRequest, type RunningCell } from './launch-cell.ts';
import { encodeJob, encodePlan, type Job, type LaunchPlan } from './launch-plan.ts';

/** A cell that is set up, confined and waiting, so that a run in it begins at once. It is for one run. */
export interface ParkedCell {
  /** Settles when it waits for a job, with true, or when it has ended without, with false. */
  readonly ready: Promise<boolean>;
  /** Whether a job would be heard; it may end at any time. */
  readonly isWaiting: () => boolean;
  /** Settles when its launcher has ended, whoever has used it. */
  readonly gone: Promise<void>;
  /** Begins the run, once it is ready. A cell that ended in the same moment gives facts without layers: then nothing was run. */
  readonly begin: (request: JobRequest) => RunningCell;
  /** Ends it without a run. Settles with what it was when nothing of it is left. */
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
  const child = spawnCell(cellPath, ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'ignore', 'ignore', 'pipe']);
  const cell = cellProcess(child);
  send(duplexOf(child, 3), bytes);
  return parkedCell({ cell, heard: readiness(cell.status), gone: exitOf(child), plan, cellPath });
}

/** A launcher that has been asked to park a cell. */
export interface ParkParts {
  readonly cell: CellProcess;
  /** `readiness` of its status, asked for before anybody reads that. */
  readonly heard: Promise<boolean>;
  /** Settles when it has ended, before all that it has said must be read. */
  readonly gone: Promise<void>;
  readonly plan: LaunchPlan;
  readonly cellPath: string;
}

export function parkedCell({ cell, heard, gone, plan, cellPath }: ParkParts): ParkedCell {
  // Whoever begins or discards it is told.
  cell.ended.catch(() => undefined);
  cell.records.catch(() => undefined);
  const state = { isWaiting: false };
  const ended = gone.then(() => false);
  const end = (): false => {
    state.isWaiting = false;
    return false;
  };
  ended.then(end, end);
  const ready = Promise.race([heard, ended]).then((answer) => {
    state.isWaiting = answer;
    return answer;
  });
  const begin = ({ job, ...request }: JobRequest): RunningCell => {
    state.isWaiting = false;
    send(cell.job, encodeJob(job));
    return superviseCell(cell, { ...request, plan: { ...plan, limits: job.limits }, cellPath });
  };
  const discard = (): Promise<CellOutcome> => {
    state.isWaiting = false;
    cell.status?.end();
    return superviseCell(cell, { plan, cellPath, stdio: 'capture' }).outcome;
  };
  return { ready, isWaiting: () => state.isWaiting, gone, begin, discard };
}

/** Before `close`, for which somebody must read its output. */
export function exitOf(cell: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    cell.once('exit', () => resolve());
    cell.once('error', () => resolve());
  });
}

/** Whether the first record, before all others by long, says that a cell waits. */
export function readiness(status: Readable | undefined): Promise<boolean> {
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
