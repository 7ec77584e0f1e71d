import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { readStatus } from '../../src/run/status-reader.ts';
import { attackCases, withPrelude, type AttackCase } from '../attacks/attack-case.ts';
import { checkOutcome, isCaught } from '../attacks/check-outcome.ts';
import { numberPlan } from '../attacks/number-plan.ts';
import { debianKernel } from './debian-kernel.ts';
import { writeInitramfs, type Part } from './initramfs.ts';
import { IMAGE, planOf, reportOf, type KernelCase, type Target } from './kernel-case.ts';
import { bootMachine, type CaseResult } from './machine.ts';
import { OWN_CASES, type OwnCase } from './own-cases.ts';

const ROOT = join(import.meta.dirname, '../..');
const ARCHITECTURE: Architecture = process.env['KERNEL_ARCHITECTURE'] === 'amd64' ? 'amd64' : 'arm64';
const TARGET: Target = {
  architecture: ARCHITECTURE,
  // Where Debian has it, of which recipes/python is made.
  interpreter: '/usr/bin/python3',
  slowness: Number(process.env['KERNEL_SLOWNESS'] ?? 12),
};
/** Empty ones that guest-init.c needs, and that with the cases. */
const FOLDERS = ['dev', 'proc', 'sys', 'run', 'out', 'cases'];
const HOURS = 3_600_000;
/** Things of the host that no guest may reach; see guest-init.c. */
const CANARIES = new Map([
  ['{canary}', '/canary'],
  ['{port}', '4000'],
  ['{socket}', 'canary'],
]);

/** All that need no more than an image of Python and a cell: a proxy, and files taken out, are not `cell`'s alone. */
const ATTACKS = attackCases(ARCHITECTURE)
  .filter(({ architectures, tiers }) => architectures.includes(ARCHITECTURE) && tiers.includes('A'))
  .filter(({ lang, network, outputs }) => lang === 'python' && network === 'none' && outputs.length === 0);
const ROUNDS = ATTACKS.flatMap((attack) =>
  Array.from({ length: attack.times }, (_, time) => ({ attack, one: caseOf(attack, time) })),
);
const OWN = OWN_CASES.map((own) => ({ own, one: { ...own, program: Buffer.from(own.code) } }));
const NUMBERS = numberPlan(ARCHITECTURE);
const NUMBER_CASE: KernelCase = {
  name: 'K1-all',
  what: 'calls every number up to 600 that is not allowed',
  program: withPrelude(
    'for nr in map(int, sys.argv[1:]):\n    attempt(str(nr), lambda: call(nr, 0, 0, 0, 0, 0, 0) and None)\n',
    ARCHITECTURE,
  ),
  arguments: NUMBERS.numbers.map(String),
};

function caseOf(attack: AttackCase, time: number): KernelCase {
  const { cancelAfterMs } = attack;
  return {
    name: `${attack.id}-${time}`,
    what: attack.what,
    program: attack.program,
    arguments: attack.arguments.map((word) => CANARIES.get(word) ?? word),
    input: Buffer.alloc(attack.input, 'x'),
    cancelAfterMs: cancelAfterMs === undefined ? undefined : cancelAfterMs * TARGET.slowness,
    limits: attack.limits,
    profile: attack.profile,
    allow: attack.allow,
    hasProc: attack.proc,
  };
}

const only = process.env['KERNEL_CASES'];
const isWanted = ({ name }: KernelCase): boolean => only === undefined || only.split(',').includes(name);
const ALL = [...OWN.map(({ one }) => one), NUMBER_CASE, ...ROUNDS.map(({ one }) => one)].filter(isWanted);

describe(`cells on Debian's ${ARCHITECTURE} kernel, control groups of version 2`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-kernel-'));
  let results: ReadonlyMap<string, CaseResult>;

  beforeAll(async () => {
    const kernel = debianKernel(ARCHITECTURE, join(folder, 'apt'));
    const initramfs = join(folder, 'initramfs');
    writeInitramfs(initramfs, prepareParts(folder));
    results = await bootMachine(
      {
        architecture: ARCHITECTURE,
        kernel,
        initramfs,
        timeoutMs: Number(process.env['KERNEL_MINUTES'] ?? 120) * 60_000,
      },
      (text) => {
        process.stdout.write(`running ${text} of ${ALL.length}\n`);
      },
    );
  }, 3 * HOURS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Throws when the run has left something behind, or was less isolated than it can be. */
  function reportedOf(one: KernelCase): RunReport {
    const result = results.get(one.name);
    if (result === undefined) throw new Error(`${one.name} was not run`);
    expect(result.left).toEqual([]);
    const facts = readStatus(result.status.toString('latin1'));
    expect(facts.failure?.step === undefined || isOom(facts.readings.get('memory_events'))).toBe(true);
    expect(facts).toMatchObject({ isComplete: true, isCleanupProven: true });
    const owed = facts.uid === undefined ? [] : ['cgroup-limits', 'landlock', 'seccomp-notify'];
    expect(facts.layers).toEqual(expect.arrayContaining(owed));
    return reportOf(one, result, TARGET);
  }

  it('has everything that a cell of tier A needs, as `cell probe` says', () => {
    const probe = results.get('probe')?.stdout.toString('utf8') ?? '';
    expect(probe.replaceAll(/^[a-z0-9-]+ yes\n/gm, '')).toMatch(/^landlock [1-9]\d*\n$/);
  });

  it.each(OWN.filter(({ one }) => isWanted(one)).map((row) => [row.one.name, row.one.what, row] as const))(
    '%s %s',
    (_, __, { own, one }) => {
      expectOwn(own, reportedOf(one));
    },
  );

  it.runIf(isWanted(NUMBER_CASE))(`${NUMBER_CASE.name} ${NUMBER_CASE.what}`, () => {
    const report = reportedOf(NUMBER_CASE);
    expect((report.stdout ?? '').trim().split('\n')).toEqual(NUMBERS.answers);
    expect(report.denied.map(({ syscall, nr, count }) => [syscall, nr, count])).toEqual(NUMBERS.denied);
  });

  it.each(ROUNDS.filter(({ one }) => isWanted(one)).map((row) => [row.one.name, row.one.what, row] as const))(
    '%s %s',
    (_, __, { attack, one }) => {
      expectOwed(attack, reportedOf(one), landlockOf(results));
    },
  );
});

function expectOwn(own: OwnCase, report: RunReport): void {
  own.check(report);
}

/** What is printed otherwise where Landlock is older than that; source: landlock(7), "Compatibility". */
const OLDER_LANDLOCK = [
  // Truncating: the read-only root refuses it a moment later.
  { before: 3, newer: 'truncate: EACCES', older: 'truncate: EROFS' },
  // TCP: the network namespace has nobody in it to listen for.
  { before: 4, newer: 'bind: EACCES', older: 'bind: done' },
] as const;
/** Of Linux 6.12. Before it, filters see the numbers of probes as all others; source: arch/x86/entry/syscalls/syscall_64.tbl. */
const WITH_PROBES = 6;

function expectOwed(attack: AttackCase, report: RunReport, landlock: number): void {
  const older = new Map<string, string>(
    OLDER_LANDLOCK.flatMap(({ before, newer, older: said }) => (landlock < before ? [[newer, said]] : [])),
  );
  const prints = attack.expect.prints?.map((line) => older.get(line) ?? line);
  const isNamed = attack.id === 'K1-uprobes' && landlock < WITH_PROBES;
  const denied = isNamed ? ['uprobe', 'uretprobe'] : attack.expect.denied;
  const owed = { ...attack, expect: { ...attack.expect, prints, denied } };
  const observed = { report, uid: undefined, odd: [] };
  if (attack.gap === undefined) checkOutcome(owed, observed);
  expect(isCaught(owed, observed)).toBe(attack.gap === undefined);
}

function landlockOf(results: ReadonlyMap<string, CaseResult>): number {
  const probe = results.get('probe')?.stdout.toString('utf8') ?? '';
  return Number(/^landlock (\d+)$/m.exec(probe)?.[1]);
}

function isOom(events: string | undefined): boolean {
  return /\boom_kill [1-9]/.test(events ?? '');
}

/** Builds what the machine needs, and says what is to be where. */
function prepareParts(folder: string): readonly Part[] {
  const image = join(folder, IMAGE);
  const tar = join(folder, 'image.tar');
  const run = (program: string, ...words: readonly string[]): void => {
    const env = { ROOTCELLAR_HOME: join(folder, 'store'), ...process.env };
    execFileSync(program, words, { cwd: ROOT, stdio: 'pipe', env });
  };
  run(process.execPath, 'dist/cli/main.js', 'build', 'recipes/python', '--arch', ARCHITECTURE, '-o', tar);
  mkdirSync(image);
  run('tar', '-xf', tar, '-C', image, '--no-same-owner', '--preserve-permissions');
  const native = join(folder, 'native');
  const cell = join(native, ARCHITECTURE, 'cell');
  run('make', '-s', '-C', 'native', `BUILD=${native}`, cell);
  const compiler = ARCHITECTURE === 'arm64' ? 'aarch64-linux-gnu-gcc' : 'x86_64-linux-gnu-gcc';
  run(
    compiler,
    '-static',
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-o',
    join(folder, 'init'),
    'test/kernel/guest-init.c',
  );
  for (const name of FOLDERS) mkdirSync(join(folder, 'root', name), { recursive: true });
  writeFileSync(join(folder, 'canary'), 'nothing that a guest may read\n');
  for (const one of ALL) writeCase(join(folder, 'root/cases', one.name), one);
  return [
    ...FOLDERS.map((name) => [name, join(folder, 'root', name)] as const),
    ['canary', join(folder, 'canary')],
    ['cell', cell],
    ['init', join(folder, 'init')],
    [IMAGE, image],
  ];
}

function writeCase(folder: string, one: KernelCase): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'plan'), planOf(one, TARGET));
  writeFileSync(join(folder, 'input'), one.input ?? new Uint8Array());
  if (one.cancelAfterMs !== undefined) writeFileSync(join(folder, 'cancel'), `${one.cancelAfterMs}`);
}
