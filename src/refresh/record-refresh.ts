import { byteOrder } from '../base/byte-order.ts';
import type { ProgressEvent } from '../base/progress.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { addRefreshRecord, type NewRefreshRecord } from '../store/refresh-history.ts';
import { reportJson } from './change-report.ts';
import type { RefreshedLock } from './refresh-result.ts';

/** Does `refresh`, and keeps what came of it, also of one that failed, with what it told meanwhile. */
export async function recordRefresh(
  name: string,
  context: PipelineContext,
  refresh: (watched: PipelineContext) => Promise<RefreshedLock>,
): Promise<RefreshedLock> {
  const log: string[] = [];
  const progress = (event: ProgressEvent): void => {
    const line = logLine(event);
    if (line !== undefined) log.push(line);
    context.progress(event);
  };
  const start = performance.now();
  const ended = (): Pick<NewRefreshRecord, 'time' | 'durationMs' | 'log'> => ({
    time: `${new Date().toISOString().slice(0, 19)}Z`,
    durationMs: Math.round(performance.now() - start),
    log,
  });
  try {
    const result = await refresh({ ...context, progress });
    await addRefreshRecord(context.store, name, { ...resultRecord(result), ...ended() });
    return result;
  } catch (error) {
    // Who mistyped a flag has tried nothing: no schedule is to wait longer for that.
    if (!(error instanceof RootcellarError) || error.code === 'E_USAGE') throw error;
    await addRefreshRecord(context.store, name, { ...failureRecord(error), ...ended() });
    throw error;
  }
}

type Outcome = Omit<NewRefreshRecord, 'time' | 'durationMs' | 'log'>;

function resultRecord(result: RefreshedLock): Outcome {
  const { kind, from, to, report } = result;
  if (kind === 'available') throw new Error('unreachable: a look is no refresh');
  return {
    result: kind,
    from,
    to,
    generations:
      kind === 'switched' ? result.images.map(({ architecture, generation }) => ({ architecture, generation })) : [],
    report: reportJson(report),
    faults: kind === 'kept' ? result.faults.map(({ message }) => message) : [],
    culprits: kind === 'kept' ? result.culprits.map((names) => names.toSorted(byteOrder)) : [],
  };
}

function failureRecord({ problems }: RootcellarError): Outcome {
  const faults = problems.map(({ code, message }) => `error[${code}] ${message}`);
  return { result: 'failed', from: undefined, to: undefined, generations: [], report: null, faults, culprits: [] };
}

/** What ends and what is amiss; how far something is does not matter afterwards. */
function logLine(event: ProgressEvent): string | undefined {
  if (event.kind === 'warning') return `warning: ${event.message}`;
  return event.kind === 'end' ? `${event.step}: ${event.summary}` : undefined;
}
