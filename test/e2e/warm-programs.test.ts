import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProgram, type RunRequest } from '../../src/run-program.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { WarmPool } from '../../src/warm-pool.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { NODE_PROGRAMS } from '../support/node-programs.ts';
import { poolHost, requestOf, toldBy, type PoolHost } from '../support/pool-host.ts';
import { PYTHON_PROGRAMS } from '../support/python-programs.ts';

describe.skipIf(CANNOT_SANDBOX)('a program in a cell that waited', () => {
  let host: PoolHost;
  let pool: WarmPool;
  beforeAll(async () => {
    host = await poolHost();
    pool = new WarmPool(() => host.context, { size: 2, kinds: 4, makers: 1, zygotes: true });
  });
  afterAll(async () => {
    await pool.close();
    await host[Symbol.asyncDispose]();
  });

  async function run(request: RunRequest): Promise<RunReport> {
    await pool.prepare(request);
    const report = await (await pool.start(request)).report;
    expect(report.time.start).toBe('warm');
    return report;
  }

  async function expectSame(request: RunRequest): Promise<void> {
    const cold = await (await startProgram(request, host.context)).report;
    expect(toldBy(await run(request))).toEqual(toldBy(cold));
  }

  it.each(Object.entries(PYTHON_PROGRAMS))('tells what it tells in one of its own, Python: %s', async (_, program) => {
    await expectSame(requestOf(host.python, program));
  });

  it.each(Object.entries(NODE_PROGRAMS))('tells what it tells in one of its own, Node.js: %s', async (_, program) => {
    await expectSame(requestOf(host.node, { file: 'main.js', ...program }));
  });

  it('sees of what waited what `parked-programs.ts` says, and no more', async () => {
    const code = `
import resource, sys, traceback
print(sys._getframe(1).f_code.co_filename, sys._getframe(1).f_back)
print({"ctypes", "traceback"} <= set(sys.modules), resource.getrlimit(resource.RLIMIT_CPU)[0] > 60)
traceback.print_stack()
class C:
    def __del__(self): raise ValueError("in del")
c = C()`;
    const { stdout, stderr } = await run(requestOf(host.python, { code }));
    expect(stdout).toBe('/run/program/.parked None\nTrue True\n');
    expect(stderr?.split('\n').filter((line) => line.startsWith('  '))).toEqual([
      expect.stringMatching(/^ {2}File "\/run\/program\/\.parked", line \d+, in <module>$/),
      '  File "/run/program/main.py", line 5, in <module>',
      '    traceback.print_stack()',
      '  File "/run/program/main.py", line 7, in __del__',
      '    def __del__(self): raise ValueError("in del")',
    ]);
  });
});
