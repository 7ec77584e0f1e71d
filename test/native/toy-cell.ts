import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { probeCgroups } from '../../src/run/cgroup-probe.ts';
import { planCgroups, type CgroupPlan } from '../../src/run/cgroup-plan.ts';
import { launchCell, type CellOutcome, type LaunchRequest } from '../../src/run/launch-cell.ts';
import type { LaunchPlan } from '../../src/run/launch-plan.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/recipe/recipe.ts';
import { judgeRun, type Verdict } from '../../src/run/verdict.ts';

export const NATIVE = join(import.meta.dirname, '..', '..', 'native');
const PROGRAMS = join(import.meta.dirname, 'programs');

/** Without root there is no cell of tier A; CI sets SANDBOX_MUST_WORK so that this cannot hide anything there. */
export const CANNOT_SANDBOX = process.getuid?.() !== 0 && process.env['SANDBOX_MUST_WORK'] !== '1';

const X86_64 = 0xc000003e;
const AARCH64 = 0xc00000b7;
const ALLOW = 0x7fff0000;
const NOTIFY = 0x7fc00000;
const KILL = 0x80000000;
/** `execve` and a call that no toy program needs by itself, `sched_setparam`. */
export const NUMBERS = process.arch === 'x64' ? { execve: 59, denied: 142 } : { execve: 221, denied: 118 };

/** A filter by hand: `notify` numbers ask the launcher, `kill` ones end the process, all else is allowed. */
export function toyFilter(notify: readonly number[], kill: readonly number[] = []): Uint8Array {
  const rules = [...notify.map((nr) => [nr, NOTIFY] as const), ...kill.map((nr) => [nr, KILL] as const)];
  const rows = [
    [0x20, 0, 0, 4],
    [0x15, 1, 0, process.arch === 'x64' ? X86_64 : AARCH64],
    [0x06, 0, 0, KILL],
    [0x20, 0, 0, 0],
    ...rules.flatMap(([nr, action]) => [
      [0x15, 0, 1, nr],
      [0x06, 0, 0, action],
    ]),
    [0x06, 0, 0, ALLOW],
  ];
  const program = Buffer.alloc(rows.length * 8);
  for (const [index, [code = 0, yes = 0, no = 0, k = 0]] of rows.entries()) {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(yes, index * 8 + 2);
    program.writeUInt8(no, index * 8 + 3);
    program.writeUInt32LE(k, index * 8 + 4);
  }
  return program;
}

/** A folder with a root filesystem of static programs, a lock file, and the launcher. */
export interface ToyHost {
  readonly folder: string;
  readonly root: string;
  readonly cellPath: string;
  readonly firstUid: number;
}

/** CI runs some of the tests a second time with the launcher of `make sanitized`. */
const IS_SANITIZED = process.env['CELL_SANITIZED'] === '1';

/** Compiles the launcher and `programs`. The caller removes `folder`. */
export function makeToyHost(programs: readonly string[], firstUid: number): ToyHost {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-cell-'));
  const root = join(folder, 'root');
  for (const directory of ['bin', 'tmp', 'dev', 'run', 'etc']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'etc', 'canary'), 'of the image\n');
  const build = join(folder, 'native');
  const cellPath = join(build, IS_SANITIZED ? 'sanitized/cell' : 'cell');
  execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${build}`, 'CFLAGS=-O1', cellPath], { stdio: 'pipe' });
  for (const program of programs) {
    const output = join(root, 'bin', program);
    execFileSync('gcc', ['-static', '-O1', '-w', '-o', output, join(PROGRAMS, `${program}.c`)]);
  }
  return { folder, root, cellPath, firstUid };
}

export interface ToyRun {
  readonly program?: string;
  readonly arguments?: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly change?: Partial<ToyPlan>;
  readonly request?: Partial<LaunchRequest>;
}

let runs = 0;

/** A plan for a cell with control groups. */
export type ToyPlan = LaunchPlan & { readonly cgroups: CgroupPlan };

export async function toyPlan(host: ToyHost, run: ToyRun): Promise<ToyPlan> {
  const limits = { ...DEFAULT_LIMITS, ...run.limits };
  runs += 1;
  const name = `${basename(host.folder)}-${runs}`;
  const cgroups = planCgroups(await probeCgroups(), name, limits);
  if (cgroups === undefined) throw new Error('this host has no control groups');
  return {
    tier: 'A',
    root: host.root,
    arguments: [`/bin/${run.program ?? 'exit-with'}`, ...(run.arguments ?? [])],
    environment: { LANG: 'C.UTF-8' },
    workingDirectory: '/tmp',
    hostname: 'cell',
    program: { name: 'main.py', content: Buffer.from('pass\n') },
    identities: { firstUid: host.firstUid, count: 100, lockFile: join(host.folder, 'identities') },
    limits: { ...limits, tmpInodes: 64, denials: 10 },
    resourceLimits: [
      { resource: 'core', soft: 1, hard: 1 },
      { resource: 'openFiles', soft: limits.openFiles, hard: limits.openFiles },
      { resource: 'lockedMemory', soft: 0, hard: 0 },
    ],
    cgroups,
    filter: toyFilter([NUMBERS.execve, NUMBERS.denied]),
    ...run.change,
  };
}

export interface ToyOutcome extends CellOutcome {
  readonly verdict: Verdict;
  readonly plan: ToyPlan;
}

/** One whole run, with its verdict; throws when anything of it is left afterwards. */
export async function runToy(host: ToyHost, run: ToyRun): Promise<ToyOutcome> {
  const plan = await toyPlan(host, run);
  const cell = launchCell({ plan, cellPath: host.cellPath, stdio: 'capture', ...run.request });
  const outcome = await cell.outcome;
  const left = leftovers(host, plan);
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  return { ...outcome, plan, verdict: verdictOf(outcome, run.limits) };
}

export function verdictOf(outcome: CellOutcome, limits: Partial<Limits> = {}): Verdict {
  return judgeRun({
    facts: outcome.facts,
    limits: { ...DEFAULT_LIMITS, ...limits },
    tier: 'A',
    syscallName: (_, nr) => (nr === NUMBERS.execve ? 'execve' : undefined),
  });
}

/** Processes of our user ids, control groups of the plan, and mounts of the root that are still there. */
export function leftovers(host: ToyHost, plan: LaunchPlan): readonly string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [
    ...guestPids(host).map((pid) => `process ${pid}`),
    ...(plan.cgroups?.directories ?? []).filter(
      (directory) => statSync(directory, { throwIfNoEntry: false }) !== undefined,
    ),
    ...mounts.filter((mount) => mount.includes(host.folder)),
  ];
}

/** Pids, on the host, of processes with one of this host's user ids. */
export function guestPids(host: ToyHost): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const uid = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0;
      return (uid >= host.firstUid && uid < host.firstUid + 100) || isGuestStatus(pid, host);
    });
}

/** /proc/PID of an undumpable process belongs to root, hence its status. */
function isGuestStatus(pid: number, host: ToyHost): boolean {
  try {
    const uid = Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    return uid >= host.firstUid && uid < host.firstUid + 100;
  } catch {
    return false;
  }
}

/** Throws when a sanitizer has found something in one of the launchers. */
export function removeToyHost(host: ToyHost): void {
  const build = dirname(host.cellPath);
  const findings = readdirSync(build).filter((name) => name.startsWith('findings'));
  const texts = findings.map((name) => readFileSync(join(build, name), 'utf8'));
  rmSync(host.folder, { recursive: true });
  if (texts.length > 0) throw new Error(texts.join('\n'));
}

/** Replaces `/name` of a copy of the root's folders by a link or a file. */
export function breakRoot(host: ToyHost, name: string, how: 'link' | 'dangling' | 'file' | 'missing'): string {
  const root = mkdtempSync(join(host.folder, 'broken-'));
  chmodSync(root, 0o755);
  for (const directory of ['bin', 'tmp', 'dev', 'run']) mkdirSync(join(root, directory));
  rmSync(join(root, name), { recursive: true });
  if (how === 'link') symlinkSync('../../..', join(root, name));
  if (how === 'dangling') symlinkSync(join(host.folder, 'made-outside'), join(root, name));
  if (how === 'file') writeFileSync(join(root, name), '');
  return root;
}
