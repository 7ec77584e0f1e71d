import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { parseArchitecture } from '../../src/base/architecture.ts';
import type { SyscallSettings } from '../../src/recipe/recipe.ts';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter, type CompiledFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';
import { compilePolicy, withoutListener, type SyscallPolicy } from '../../src/run/policy.ts';
import { errnoNumber } from '../../src/run/syscall-rule.ts';
import { syscallNames, syscallNumber } from '../../src/run/syscall-tables.ts';
import { compileProgram, removeTemporaryFolders, temporaryFolder } from './policy-cases.ts';
import { skipWithout } from '../support/skip-without.ts';

// Thousands of simulated calls, or processes: slow where others use the machine too.
vi.setConfig({ testTimeout: 60_000 });

const LOADER = compileProgram('load-filter');
const ARCHITECTURE = parseArchitecture(process.arch) ?? 'amd64';
const SKIP = skipWithout(
  'Linux on amd64 or arm64 and a C compiler',
  LOADER !== undefined && process.platform === 'linux' && parseArchitecture(process.arch) !== undefined,
);
const PYTHON = '/usr/bin/python3';
const PYTHON_SKIP = skipWithout('/usr/bin/python3', existsSync(PYTHON));

/**
 * Not tried with impossible arguments: they take none, or wait. No filter is asked about the last two: the kernel has them
 * for its own probes, and they fail for everybody else (SIGILL, ENXIO).
 */
const UNTRIED = new Set(['pause', 'vhangup', 'kill', 'fork', 'vfork', 'clone', 'uretprobe', 'uprobe']);

interface Trial {
  readonly name: string;
  readonly number: number;
  readonly arguments: readonly bigint[];
}

const IMPOSSIBLE = Array.from({ length: 6 }, () => 2n ** 64n - 1n);
const HIGH = 2n ** 32n;

function trial(name: string, ...values: bigint[]): Trial[] {
  const number = syscallNumber(ARCHITECTURE, name);
  return number === undefined ? [] : [{ name, number, arguments: [...values, ...IMPOSSIBLE].slice(0, 6) }];
}

const TRIALS: readonly Trial[] = [
  ...syscallNames().flatMap((name) => (UNTRIED.has(name) ? [] : trial(name))),
  ...[0x5401n, 0x5401n + HIGH, 0x5412n, 0x5412n + HIGH, 0x4004_9409n].flatMap((cmd) =>
    trial('ioctl', IMPOSSIBLE[0] ?? 0n, cmd),
  ),
  ...[1n, 1030n, 1024n, 1024n + HIGH].flatMap((cmd) => trial('fcntl', IMPOSSIBLE[0] ?? 0n, cmd)),
  ...[15n, 15n + HIGH, 22n, 4n].flatMap((option) => trial('prctl', option)),
  ...[0xffff_ffffn, 0x4_0000n].flatMap((persona) => trial('personality', persona)),
  ...[1n, 2n, 5n, 0x8_0801n, 1n + HIGH].flatMap((type) => trial('socketpair', 1n, type, 0n)),
  ...trial('socketpair', 2n, 1n, 0n),
  ...trial('sendto', IMPOSSIBLE[0] ?? 0n, 0n, 0n, 0n, 0n, 0n),
  ...trial('clone', 0x1000_0011n),
  ...trial('prlimit64', 0n, 7n),
  ...trial('mknodat', IMPOSSIBLE[0] ?? 0n, IMPOSSIBLE[0] ?? 0n, 0x21b6n),
  ...[480, 0x3fff_ffff, 0xffff_ffff].map((number) => ({ name: `number ${number}`, number, arguments: IMPOSSIBLE })),
];

/** x32's write, execve and one of its own. */
const X32 = [0x4000_0001, 0x4000_003b, 0x4000_0208].map((number) => ({ name: 'x32', number, arguments: IMPOSSIBLE }));

afterAll(removeTemporaryFolders);

describe.skipIf(SKIP)('the kernel of this machine', () => {
  const settings = { profile: 'python', allow: [], deny: [] };

  it('answers every call as the simulation says, EPERM in place of notify', () => {
    expect(surprises(withoutListener(compilePolicy(settings, ARCHITECTURE)), TRIALS)).toEqual([]);
  });

  it('answers every call as the simulation says, and ENOSYS where notify finds no listener', () => {
    expect(surprises(compilePolicy(settings, ARCHITECTURE), TRIALS)).toEqual([]);
  });

  it.skipIf(ARCHITECTURE !== 'amd64')('kills x32', () => {
    expect(surprises(compilePolicy(settings, ARCHITECTURE), X32)).toEqual([]);
    expect(outcomes(compileFilter(compilePolicy(settings, 'amd64'), 'amd64'), X32)).toEqual(X32.map(() => 'signal 31'));
  });

  it('kills all calls by another architecture, thus under a filter for another one', () => {
    const other = ARCHITECTURE === 'amd64' ? 'arm64' : 'amd64';
    const filter = compileFilter(compilePolicy(settings, other), other);
    expect(outcomes(filter, trial('getpid'))).toEqual(['signal 31']);
  });
});

describe.skipIf(SKIP || PYTHON_SKIP)('python3 of this machine', () => {
  it('runs its library under profile python', () => {
    const program = `
import asyncio, ctypes, os, secrets, shutil, signal, socket, sqlite3, ssl, subprocess, tempfile, threading, time
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'a')
    open(path, 'w').write('x' * 100000)
    shutil.copy(path, path + '2')
    with sqlite3.connect(path + '.db') as db:
        db.execute('pragma journal_mode=wal')
        db.execute('create table t(a)')
    with tempfile.TemporaryFile() as f:
        f.write(b'1'); f.flush(); os.fsync(f.fileno())
threads = [threading.Thread(target=time.sleep, args=(0.001,)) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
async def main():
    await asyncio.gather(asyncio.sleep(0.001), asyncio.to_thread(time.sleep, 0.001))
asyncio.run(main())
ssl.create_default_context(); secrets.token_hex(); ctypes.CFUNCTYPE(None)(print)
os.kill(os.getpid(), 0); signal.setitimer(signal.ITIMER_REAL, 0)
for forbidden in (lambda: subprocess.run(['true']), os.fork, socket.socket, lambda: os.posix_spawn('/bin/true', ['true'], {})):
    try: forbidden()
    except PermissionError: continue
    raise SystemExit('not forbidden')
print('done')
`;
    expect(runPython({ ...ALLOW_FIRST_EXEC, profile: 'python' }, program)).toBe('done\n');
  });

  it('starts programs under profile python-subprocess', () => {
    const program = `
import asyncio, os, subprocess
print(subprocess.run(['echo', 'one'], capture_output=True, text=True).stdout, end='')
print(os.popen('echo two').read(), end='')
async def main():
    child = await asyncio.create_subprocess_exec('echo', 'three', stdout=asyncio.subprocess.PIPE)
    print((await child.communicate())[0].decode(), end='')
asyncio.run(main())
`;
    expect(runPython({ profile: 'python-subprocess', allow: [], deny: [] }, program)).toBe('one\ntwo\nthree\n');
  });
});

/** In a cell the supervisor lets this one call through. */
const ALLOW_FIRST_EXEC = { allow: ['execve'], deny: [] };

function runPython(settings: SyscallSettings, program: string): string {
  const filter = compileFilter(withoutListener(compilePolicy(settings, ARCHITECTURE)), ARCHITECTURE);
  return execFileSync(LOADER ?? '', ['exec', filterFile(filter), PYTHON, '-I', '-c', program], { encoding: 'utf8' });
}

/** Trials whose outcome is not what the simulation lets expect; an allowed call must do what it does without a filter. */
function surprises(policy: SyscallPolicy, trials: readonly Trial[]): readonly unknown[] {
  const filter = compileFilter(policy, ARCHITECTURE);
  const instructions = decodeFilter(filter.program);
  const planned = trials.map((entry) => ({ entry, expected: expectedOutcome(instructions, entry) }));
  const allowed = planned.filter(({ expected }) => expected === undefined).map(({ entry }) => entry);
  const free = new Map(outcomes(undefined, allowed).map((outcome, index) => [allowed[index], outcome]));
  const seen = outcomes(filter, trials);
  return planned
    .map(({ entry, expected }, index) => ({ entry, expected: expected ?? free.get(entry), seen: seen[index] }))
    .filter((row) => row.seen !== row.expected);
}

/** Undefined: as without a filter. */
function expectedOutcome(
  instructions: ReturnType<typeof decodeFilter>,
  { number, arguments: values }: Trial,
): string | undefined {
  const auditArchitecture = AUDIT_ARCHITECTURE[ARCHITECTURE];
  const action = returnedAction(simulateFilter(instructions, { number, auditArchitecture, arguments: values }));
  if (action?.kind === 'errno') return `errno ${errnoNumber(action.name)}`;
  if (action?.kind === 'notify') return 'errno 38';
  return action?.kind === 'allow' ? undefined : 'signal 31';
}

function outcomes(filter: CompiledFilter | undefined, trials: readonly Trial[]): readonly string[] {
  const lines = trials.map(({ number, arguments: values }) =>
    [number, ...values].map((value) => value.toString(16)).join(' '),
  );
  const file = filter === undefined ? 'none' : filterFile(filter);
  const output = execFileSync(LOADER ?? '', ['try', file], { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
  return output.trim().split('\n');
}

function filterFile(filter: CompiledFilter): string {
  const file = join(temporaryFolder(), 'filter');
  writeFileSync(file, filter.program);
  return file;
}
