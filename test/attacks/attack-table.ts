import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/run/run-report.ts';
import { syscallName } from '../../src/run/syscall-tables.ts';
import { casesOfTier, withPrelude, type AttackCase, type TierTraits } from './attack-case.ts';
import { checkOutcome, isCaught } from './check-outcome.ts';
import { ARCHITECTURE, runAttack, type AttackRequest, type Machine, type Observed } from './machine.ts';
import { startNeighbour, type Neighbour } from './neighbour.ts';
import { numberPlan } from './number-plan.ts';

export interface AttackTable extends TierTraits {
  /** What the host is called. */
  readonly host: string;
  /** How runs are begun, and which cases can be begun so; each in a cell of its own, and all, when undefined. */
  readonly how?: { readonly title: string; readonly has: (attack: AttackCase) => boolean } | undefined;
  /** Whether only the core is run. */
  readonly isCore?: boolean | undefined;
  /** Whether there is no such host here. */
  readonly isMissing: boolean;
  readonly machine: () => Promise<Machine>;
}

/** Registers every attack of the tier, one test each, with a neighbour and with a look at the host after each. */
export function describeAttacks(table: AttackTable): void {
  const title = `tier ${table.tier}${table.host === '' ? '' : ` in ${table.host}`}${table.how === undefined ? '' : ` ${table.how.title}`}`;
  describe.skipIf(table.isMissing)(`attacks, ${title}`, () => {
    const tally = { passed: 0, failed: 0, gaps: new Map<string, string>() };
    let machine: Machine;
    let neighbour: Neighbour;

    beforeAll(async () => {
      machine = await table.machine();
      neighbour = startNeighbour(machine);
      // So that whatever is loaded for the first run is there when we count, and the neighbour too.
      await harmlessRun(machine);
      await machine.start({ program: { kind: 'code', code: '0' }, image: 'nodejs' }).ended;
      await machine.settle();
    });

    afterAll(async () => {
      await machine[Symbol.asyncDispose]();
      for (const [id, gap] of tally.gaps) process.stdout.write(`KNOWN GAP ${id}: ${gap}\n`);
      process.stdout.write(`attacks, ${title}: ${tally.passed} passed, ${tally.failed} failed\n`);
    });

    /** The attack, then the state of the host, then a harmless program in the slot that the attack had. */
    async function judged(action: () => Promise<readonly Observed[]>, check: (all: readonly Observed[]) => void) {
      try {
        const all = await action();
        expect(await machine.sweep()).toEqual([]);
        await expectHarmlessRun(all);
        check(all);
        tally.passed += 1;
      } catch (error) {
        tally.failed += 1;
        throw error;
      }
    }

    async function expectHarmlessRun(all: readonly Observed[]): Promise<void> {
      const { report, uid } = reported(await harmlessRun(machine));
      expect(report).toMatchObject({ status: 'ok', stdout: '[] 42 1\n', stderr: '', events: [], denied: [] });
      expect(report.isolation.tier).toBe(table.tier);
      const uids = all.flatMap((one) => ('uid' in one && one.uid !== undefined ? [one.uid] : []));
      if (uids.length > 0) expect(uids).toContain(uid);
    }

    async function runTimes(attack: AttackCase): Promise<readonly Observed[]> {
      const all: Observed[] = [];
      for (let time = 0; time < attack.times; time += 1) all.push(await runAttack(machine, attack));
      return all;
    }

    const isWanted = (id: string): boolean => table.isCore !== true || CORE.has(id);
    const cases = casesOfTier(ARCHITECTURE, table).filter((attack) => table.how?.has(attack) ?? isWanted(attack.id));
    it.each(cases)('$id $what', async (attack) => {
      await judged(
        () => runTimes(attack),
        (all) => {
          if (attack.gap === undefined) {
            for (const observed of all) checkOutcome(attack, observed, machine.outer);
            return;
          }
          tally.gaps.set(attack.id, attack.gap);
          // When this fails, the gap is closed: take `gap` out of its case.
          expect(all.every((observed) => isCaught(attack, observed, machine.outer))).toBe(false);
          tally.passed -= 1;
        },
      );
    });

    it.each([
      ['the C library', 'attempt(str(nr), lambda: call(nr, 0, 0, 0, 0, 0, 0) and None)'],
      [
        'machine code of its own',
        'answer = own(nr)\n    print(f"{nr}: {errno.errorcode[-answer] if answer < 0 else \'done\'}", flush=True)',
      ],
    ])('K1 calls every number up to 600 that is not allowed, by %s', async (_, statement) => {
      const plan = numberPlan(ARCHITECTURE);
      const code = `own = raw_call()\nfor nr in map(int, sys.argv[1:]):\n    ${statement}\n`;
      const content = withPrelude(code, ARCHITECTURE);
      const { ended } = machine.start({
        program: { kind: 'file', name: 'numbers.py', base64: content.toString('base64') },
        arguments: plan.numbers.map(String),
      });
      await judged(
        async () => {
          const { report } = reported(await ended);
          const answers = (report.stdout ?? '').trim().split('\n');
          const isOurs = isAnsweredByUs(machine);
          expect(answers.map(numberOf)).toEqual(plan.numbers);
          expect(answers.filter(isOurs)).toEqual(plan.answers.filter(isOurs));
          // What the host refuses is refused by its own error, and not heard of.
          const others = answers.filter((line) => !isOurs(line));
          expect(others.filter((line) => !/: (?:EPERM|ENOSYS)$/.test(line))).toEqual([]);
          const heardOf = report.denied.map(({ syscall, nr, count }) => [syscall, nr, count]);
          expect(heardOf.filter(([, nr]) => isOurs(`${nr}`))).toEqual(plan.denied.filter(([, nr]) => isOurs(`${nr}`)));
          expect(report.status).toBe('ok');
          return [];
        },
        () => expect(plan.denied.filter(([name]) => !machine.outer.always(name)).length).toBeGreaterThan(50),
      );
    });

    it('P26 runs many at once, each with its own output, /tmp and user', async () => {
      await judged(
        async () => {
          const numbers = Array.from({ length: 20 }, (_, number) => `run ${number}`);
          const all = await Promise.all(numbers.map((word) => machine.start(crowded(word)).ended));
          expect(all.map((one) => reported(one).report.stdout)).toEqual(numbers.map((word) => `${word}\n`));
          return all;
        },
        () => undefined,
      );
    });

    it.each(REFUSED.filter(([id]) => isWanted(id)))('%s is refused before anything runs', async (_, request, code) => {
      await judged(
        async () => {
          expect(await machine.start({ program: PASS, ...request }).ended).toMatchObject({ refused: code });
          return [];
        },
        () => undefined,
      );
    });

    it('disturbs no neighbour', async () => {
      const { report, steps, expected } = await neighbour.end();
      expect(report).toMatchObject({ status: 'cancelled', stdout: expected, stderr: '', denied: [], events: [] });
      expect(steps).toBeGreaterThan(5);
      expect(await machine.sweep()).toEqual([]);
    });
  });
}

/** One of each kind. */
const CORE: ReadonlySet<string> = new Set(
  'F1 F2 F5 F7 F13 F17 K2 K5 K6 K7 K8 K10 K12 K20 N1 P1 P2 P3 P6 P7 P9 P11-slow P15 P16 P24 X1 X2 X3'.split(' '),
);

/** The newest that runtimes of a few years ago can let through: libseccomp 2.5.4 has the numbers of Linux 5.17. */
const NEWEST_OUTSIDE = 450;

/** Which lines `number: answer` our filter decides for certain, and not the host's. */
function isAnsweredByUs({ outer }: Machine): (line: string) => boolean {
  return (line) => {
    const number = numberOf(line);
    const name = syscallName(ARCHITECTURE, number) ?? '';
    return !outer.always(name) && !(outer.always('') && number > NEWEST_OUTSIDE);
  };
}

function numberOf(line: string): number {
  return Number.parseInt(line, 10);
}

const PASS = { kind: 'code', code: 'pass' } as const;

function harmlessRun(machine: Machine): Promise<Observed> {
  const place = 'os.environ.get("TMPDIR", "/tmp")';
  const code = `import os, threading; print(os.listdir(${place}), 6 * 7, threading.active_count())`;
  return machine.start({ program: { kind: 'code', code } }).ended;
}

function crowded(word: string): AttackRequest {
  const code = `import os, sys, time
place = os.environ.get("TMPDIR", "/tmp")
open(place + "/who", "w").write(sys.argv[1])
time.sleep(0.3)
print(open(place + "/who").read())`;
  return { program: { kind: 'code', code }, arguments: [word], limits: ['wall=20s', 'cpu=20s'] };
}

function reported(observed: Observed): { readonly report: RunReport; readonly uid: number | undefined } {
  if ('report' in observed) return observed;
  throw new Error(`refused: ${observed.message}`);
}

const REFUSED: readonly (readonly [title: string, request: Partial<AttackRequest>, code: string])[] = [
  ['F22 the loader', { environment: { LD_PRELOAD: '/tmp/x.so' } }, 'E_POLICY'],
  ['F22 the loader’s audit', { environment: { LD_AUDIT: '/tmp/x.so' } }, 'E_POLICY'],
  ['F22 the C library', { environment: { GLIBC_TUNABLES: 'glibc.malloc.check=1' } }, 'E_POLICY'],
  ['F22 Python', { environment: { PYTHONSTARTUP: '/tmp/x.py' } }, 'E_POLICY'],
  ['F22 Python’s path', { environment: { PYTHONPATH: '/tmp' } }, 'E_POLICY'],
  ['F22 Node.js', { environment: { NODE_OPTIONS: '--require /tmp/x' } }, 'E_POLICY'],
  ['F22 the search for programs', { environment: { PATH: '/tmp' } }, 'E_POLICY'],
  ['F12 a file above the working directory', { files: [{ path: '../x', base64: '' }] }, 'E_USAGE'],
  ['F12 a file in a folder of the image', { files: [{ path: '/etc/passwd', base64: '' }] }, 'E_USAGE'],
  ['F12 a file with a zero in its name', { files: [{ path: 'a\0b', base64: '' }] }, 'E_USAGE'],
  [
    'F12 a file of more than /tmp holds',
    { files: [{ path: 'a', base64: Buffer.alloc(70e6).toString('base64') }] },
    'E_USAGE',
  ],
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
    { program: { kind: 'file', name: 'x.py', base64: Buffer.alloc(70e6, '#').toString('base64') } },
    'E_USAGE',
  ],
];
