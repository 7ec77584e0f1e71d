import type { RunReport } from '../../src/run/run-report.ts';
import { startProgram, type RunningProgram, type RunRequest } from '../../src/run-program.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import { warmProgram } from '../../src/warm-kind.ts';
import { WarmPool } from '../../src/warm-pool.ts';
import { leftOfCells, removeOwnCells, useOwnCells } from '../support/own-cells.ts';
import { localMachine } from './local-machine.ts';
import { sweepPatiently, type Machine } from './machine.ts';

/** This machine, where each program in a file is forked by a zygote; `src/cell-host.ts` has to be mocked by `ownHost`. */
export async function zygoteMachine(home: string, firstUid: number): Promise<Machine> {
  const cells = useOwnCells(firstUid);
  const machine = await localMachine(home, { firstUid, count: 64 }, startForked);
  let before: readonly string[] = [];
  const left = (): readonly string[] => leftOfCells(cells).filter((thing) => !before.includes(thing));
  return {
    ...machine,
    settle: async () => {
      await machine.settle();
      before = leftOfCells(cells);
    },
    sweep: async () => [...(await sweepPatiently(left)), ...(await machine.sweep())],
    [Symbol.asyncDispose]: async () => {
      await machine[Symbol.asyncDispose]();
      removeOwnCells(cells);
    },
  };
}

/** In a pool of its own, so that nothing of it is there afterwards. */
async function startForked(request: RunRequest, context: PipelineContext): Promise<RunningProgram> {
  const file = warmProgram(request);
  if (file === undefined || !file.name.endsWith('.py')) return startProgram(request, context);
  const pool = new WarmPool(() => context, { size: 1, kinds: 1, makers: 1, zygotes: true });
  try {
    await pool.prepare(request);
    const running = await pool.start(request);
    const report = running.report.then((told) => byZygote(told, pool)).finally(() => pool.close());
    // Which user it was, does not tell which one the next run will be: a zygote has one, too.
    return { ...running, report, facts: async () => ({ ...(await running.facts()), uid: undefined }) };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

function byZygote(report: RunReport, pool: WarmPool): RunReport {
  const zygote = pool.state()[0]?.zygote;
  if (report.time.start === 'cold' || zygote === undefined || zygote.failure !== undefined)
    throw new Error(`was not forked by a zygote: ${report.time.start}, ${JSON.stringify(zygote)}`);
  return report;
}
