import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { attackCases, withPrelude, type AttackCase } from './attack-case.ts';
import { ARCHITECTURE, attackHost, runAttack, start, startNeighbour } from './attack-host.ts';
import type { AttackHost, Neighbour, Observed } from './attack-host.ts';
import { checkOutcome, isCaught } from './check-outcome.ts';
import { numberPlan } from './number-plan.ts';
import { baseline, processes, sweep, type Baseline, type SweepRequest } from './sweep.ts';
import { launchedPlans } from './variation.ts';

vi.mock(import('../../src/run/launch-cell.ts'), async (original) => {
  const real = await original();
  const { varied } = await import('./variation.ts');
  return { ...real, launchCell: (request) => real.launchCell(varied(request)) };
});

const CASES = attackCases(ARCHITECTURE).filter(
  ({ architectures, tiers }) => architectures.includes(ARCHITECTURE) && tiers.includes('A'),
);
const EMPTY = new Uint8Array();
const IDENTITIES = { firstUid: 1_800_000_000, count: 64 };
const LIMITS = ['wall=20s', 'cpu=20s'];

describe.skipIf(CANNOT_SANDBOX)('attacks, tier A', () => {
  let host: AttackHost;
  let neighbour: Neighbour;
  let before: Baseline;
  let keep: SweepRequest['keep'];
  let root: string;
  const tally = { passed: 0, failed: 0, gaps: new Map<string, string>() };

  beforeAll(async () => {
    await pythonImage();
    await nodeImage();
    host = await attackHost(sharedHome(), IDENTITIES);
    root = await materialiseRootfs(host.store, host.image, {
      progress: noProgress,
      signal: new AbortController().signal,
    });
    neighbour = await startNeighbour(host);
    await vi.waitUntil(() => processes(host).includes(IDENTITIES.firstUid), { timeout: 10_000 });
    // Once, so that whatever is loaded for the first run is there when we count.
    await (
      await start(host, {})
    ).report;
    const [plan] = launchedPlans();
    keep = { uid: IDENTITIES.firstUid, directories: new Set(plan?.cgroups?.directories) };
    before = baseline(host, root);
  });

  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    for (const [id, gap] of tally.gaps) process.stdout.write(`KNOWN GAP ${id}: ${gap}\n`);
    process.stdout.write(`attacks: ${tally.passed} passed, ${tally.failed} failed\n`);
  });

  /** The attack, then the state of the host, then a harmless program in the slot that the attack had. */
  async function judged(action: () => Promise<readonly Observed[]>, check: (all: readonly Observed[]) => void) {
    try {
      const all = await action();
      expect(await sweep({ host, root, before, keep })).toEqual([]);
      await expectHarmlessRun(all);
      check(all);
      tally.passed += 1;
    } catch (error) {
      tally.failed += 1;
      throw error;
    }
  }

  async function expectHarmlessRun(all: readonly Observed[]): Promise<void> {
    const code = 'import os, threading; print(os.listdir("/tmp"), 6 * 7, threading.active_count(), os.listdir("/run"))';
    const running = await start(host, { program: { kind: 'code', code } });
    expect(await running.report).toMatchObject({
      status: 'ok',
      stdout: '[] 42 1 []\n',
      stderr: '',
      events: [],
      denied: [],
    });
    const uids = all.flatMap((one) => ('uid' in one && one.uid !== undefined ? [one.uid] : []));
    if (uids.length > 0) expect(uids).toContain((await running.facts()).uid);
  }

  async function runTimes(attack: AttackCase): Promise<readonly Observed[]> {
    const all: Observed[] = [];
    for (let time = 0; time < attack.times; time += 1) all.push(await runAttack(host, attack));
    return all;
  }

  it.each(CASES)('$id $what', async (attack) => {
    await judged(
      () => runTimes(attack),
      (all) => {
        if (attack.gap === undefined) {
          for (const observed of all) checkOutcome(attack, observed);
          return;
        }
        tally.gaps.set(attack.id, attack.gap);
        // When this fails, the gap is closed: take `gap` out of its case.
        expect(all.every((observed) => isCaught(attack, observed))).toBe(false);
        tally.passed -= 1;
      },
    );
  });

  const plan = numberPlan(ARCHITECTURE);
  it.each([
    ['the C library', 'attempt(str(nr), lambda: call(nr, 0, 0, 0, 0, 0, 0) and None)'],
    [
      'machine code of its own',
      'answer = own(nr)\n    print(f"{nr}: {errno.errorcode[-answer] if answer < 0 else \'done\'}", flush=True)',
    ],
  ])('K1 calls every number up to 600 that is not allowed, by %s', async (_, statement) => {
    const code = `own = raw_call()\nfor nr in map(int, sys.argv[1:]):\n    ${statement}\n`;
    const run = async (numbers: readonly number[]): Promise<RunReport> => {
      const content = withPrelude(code, ARCHITECTURE);
      const running = await start(host, {
        program: { kind: 'file', file: { name: 'numbers.py', content } },
        arguments: numbers.map(String),
      });
      return running.report;
    };
    await judged(
      async () => {
        const report = await run(plan.numbers);
        expect((report.stdout ?? '').trim().split('\n')).toEqual(plan.answers);
        expect(report.denied.map(({ syscall, nr, count }) => [syscall, nr, count])).toEqual(plan.denied);
        expect(report.status).toBe('ok');
        return [];
      },
      () => expect(plan.denied.length).toBeGreaterThan(150),
    );
  });

  it('P26 runs many at once, each with its own output, /tmp and user', async () => {
    const code =
      'import sys, time; open("/tmp/who", "w").write(sys.argv[1]); time.sleep(0.3); print(open("/tmp/who").read())';
    await judged(
      async () => {
        const numbers = Array.from({ length: 20 }, (_, number) => `run ${number}`);
        const runs = numbers.map(async (word) => {
          const running = await start(host, { program: { kind: 'code', code }, arguments: [word], limits: LIMITS });
          return { report: await running.report, uid: (await running.facts()).uid, odd: [] };
        });
        const all = await Promise.all(runs);
        expect(all.map(({ report }) => report.stdout)).toEqual(numbers.map((word) => `${word}\n`));
        return all;
      },
      () => undefined,
    );
  });

  it.each([
    ['F22 the loader', { environment: { LD_PRELOAD: '/tmp/x.so' } }, 'E_POLICY'],
    ['F22 the loader’s audit', { environment: { LD_AUDIT: '/tmp/x.so' } }, 'E_POLICY'],
    ['F22 the C library', { environment: { GLIBC_TUNABLES: 'glibc.malloc.check=1' } }, 'E_POLICY'],
    ['F22 Python', { environment: { PYTHONSTARTUP: '/tmp/x.py' } }, 'E_POLICY'],
    ['F22 Python’s path', { environment: { PYTHONPATH: '/tmp' } }, 'E_POLICY'],
    ['F22 Node.js', { environment: { NODE_OPTIONS: '--require /tmp/x' } }, 'E_POLICY'],
    ['F22 the search for programs', { environment: { PATH: '/tmp' } }, 'E_POLICY'],
    ['F12 a file above the working directory', { files: [{ path: '../x', content: EMPTY }] }, 'E_USAGE'],
    ['F12 a file in a folder of the image', { files: [{ path: '/etc/passwd', content: EMPTY }] }, 'E_USAGE'],
    ['F12 a file with a zero in its name', { files: [{ path: 'a\0b', content: EMPTY }] }, 'E_USAGE'],
    ['F12 a file of more than /tmp holds', { files: [{ path: 'a', content: Buffer.alloc(70e6) }] }, 'E_USAGE'],
    ['F12 an output above the working directory', { outputs: [{ path: '../../etc', to: '/tmp/x' }] }, 'E_USAGE'],
    ['F12 an output by a descriptor', { outputs: [{ path: '/proc/self/fd/7', to: '/tmp/x' }] }, 'E_USAGE'],
    ['F12 an output in the place of a folder', { outputs: [{ path: 'x', to: '/etc' }] }, 'E_USAGE'],
    ['P18 a name with `=`', { environment: { 'A=B': '1' } }, 'E_USAGE'],
    ['P18 a name with a line feed', { environment: { 'A\nB': '1' } }, 'E_USAGE'],
    ['P18 a name with a zero', { environment: { 'A\0B': '1' } }, 'E_USAGE'],
    ['P18 a value with a zero', { environment: { A: '1\0B=2' } }, 'E_USAGE'],
    ['P18 an argument with a zero', { arguments: ['a\0b'] }, 'E_USAGE'],
    ['P18 an argument of 200 KB', { arguments: ['x'.repeat(200_000)] }, 'E_USAGE'],
    ['P18 arguments without end', { arguments: Array.from({ length: 100_000 }, () => 'x'.repeat(100)) }, 'E_USAGE'],
    [
      'P18 variables without end',
      { environment: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`V${n}`, 'x'.repeat(1000)])) },
      'E_USAGE',
    ],
    [
      'P19 a program of 70 MB',
      { program: { kind: 'file', file: { name: 'x.py', content: Buffer.alloc(70e6, '#') } } },
      'E_USAGE',
    ],
  ] as const)('%s is refused before anything runs', async (_, request, code) => {
    await judged(
      async () => {
        await expect(start(host, request)).rejects.toMatchObject({ problems: [{ code }] });
        return [];
      },
      () => undefined,
    );
  });

  it('disturbs no neighbour', async () => {
    const { report, steps, expected } = await neighbour.end();
    expect(report).toMatchObject({ status: 'cancelled', stdout: expected, stderr: '', denied: [], events: [] });
    expect(steps).toBeGreaterThan(5);
    expect(await sweep({ host, root, before, keep: { uid: -1, directories: new Set() } })).toEqual([]);
  });
});
