import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePlan } from '../../src/run/launch-plan.ts';
import { CANNOT_SANDBOX, makeToyHost, NATIVE, removeToyHost, toyPlan, type ToyHost } from './toy-cell.ts';

/** A group of calls of a row, and how often it may come. */
interface Group {
  readonly calls: readonly string[];
  readonly least: 0 | 1;
  readonly most: number;
}

interface Row {
  readonly steps: readonly string[];
  readonly groups: readonly Group[];
}

/** The tables of native/README.md, in their order. */
const [KEEPER, INIT, MAIN, CLEAN_UP] = readTables(readFileSync(join(NATIVE, 'README.md'), 'utf8'));

/** The tables tell calls as they are named on amd64; arm64 has not all of the older ones. */
describe.skipIf(CANNOT_SANDBOX || process.arch !== 'x64')('the order of system calls', () => {
  let host: ToyHost;
  let traces: readonly (readonly string[])[];
  beforeAll(async () => {
    host = makeToyHost(['exit-with'], 360_000);
    writeFileSync(join(host.folder, 'plan'), encodePlan(await toyPlan(host, {})));
    const command = 'strace -ff -o trace "$CELL" run 3<plan 4>status </dev/null >/dev/null 2>/dev/null';
    execFileSync('sh', ['-c', command], { cwd: host.folder, env: { ...process.env, CELL: host.cellPath } });
    const files = readdirSync(host.folder).filter((name) => name.startsWith('trace.'));
    const pids = files.map((name) => Number(name.slice('trace.'.length))).toSorted((a, b) => a - b);
    traces = pids.map((pid) => callsOf(readFileSync(join(host.folder, `trace.${pid}`), 'utf8')));
  }, 60_000);
  afterAll(() => removeToyHost(host));

  it('of the keeper is that of its table', () => {
    const [keeper = []] = traces;
    expect(traces).toHaveLength(3);
    // Before: the C library's own. After: the loop.
    const calls = keeper.slice(keeper.indexOf('fcntl F_GETFD'), keeper.indexOf('ppoll'));
    expect(difference(KEEPER, calls)).toBeUndefined();
  });

  it('of the first process is that of its table', () => {
    const init = traces[1] ?? [];
    expect(difference(INIT, init.slice(0, init.indexOf('signalfd4')))).toBeUndefined();
  });

  it('of the main process is that of its table', () => {
    const main = traces[2] ?? [];
    expect(difference(MAIN, main.slice(0, main.indexOf('execve') + 1))).toBeUndefined();
  });

  it('of the clean-up is that of its table', () => {
    const [keeper = []] = traces;
    expect(difference(CLEAN_UP, keeper.slice(keeper.indexOf('pidfd_send_signal')))).toBeUndefined();
  });

  it('is told by the names of steps, in their order', () => {
    const known = [...readFileSync(join(NATIVE, 'steps.h'), 'utf8').matchAll(/step\(STEP_\w+, "([a-z-]+)"\)/g)];
    const names = known.map(([, name]) => name ?? '');
    for (const rows of [INIT, MAIN]) {
      const told = (rows ?? []).flatMap(({ steps }) => steps).filter((step, at, all) => step !== all[at - 1]);
      // Of those that only some cells have, other tables tell.
      expect(told).toEqual(names.filter((name) => told.includes(name)));
      expect(told.length).toBeGreaterThan(8);
    }
    for (const { steps } of KEEPER ?? []) for (const step of steps) expect(names).toContain(step);
  });
});

/** The calls of a trace, with the first argument of those that do different things. */
function callsOf(trace: string): readonly string[] {
  return trace.split('\n').flatMap((line) => {
    const [, name = '', rest = ''] = /^(\w+)\((.*)$/.exec(line) ?? [];
    if (name === '') return [];
    const word = name === 'fcntl' ? rest.split(', ')[1] : rest;
    const first = /^[A-Z_]+/.exec(word ?? '')?.[0];
    const isManifold = ['prctl', 'fcntl', 'unshare', 'seccomp'].includes(name);
    return [isManifold && first !== undefined ? `${name} ${first}` : name];
  });
}

/** Undefined when the calls are those of the rows; else where they part. */
function difference(rows: readonly Row[] = [], calls: readonly string[]): string | undefined {
  let rest = calls;
  for (const { steps, groups } of rows) {
    for (const group of groups) {
      const after = takeGroup(group, rest);
      if (after === undefined) return `${steps.join()}: ${group.calls.join(' ')}, but: ${rest.slice(0, 8).join(' ')}`;
      rest = after;
    }
  }
  return rest.length === 0 ? undefined : `not in the table: ${rest.join(' ')}`;
}

/** What is left after the group; undefined when it is not there. */
function takeGroup({ calls, least, most }: Group, from: readonly string[]): readonly string[] | undefined {
  let rest = from;
  let times = 0;
  while (times < most && calls.every((call, index) => rest[index] === call)) {
    rest = rest.slice(calls.length);
    times += 1;
  }
  // The last of a waiting loop breaks off inside.
  if (least === 0 && calls[0] === rest[0]) rest = rest.slice(1);
  return times < least ? undefined : rest;
}

function readTables(text: string): readonly (readonly Row[])[] {
  const [, section = ''] = text.split('## Set-up, call by call\n');
  const [own = ''] = section.split('\n## ');
  return own
    .split('| --- | --- | --- |\n')
    .slice(1)
    .map((table) => table.split('\n').filter((line) => line.startsWith('| ')))
    .map((lines) => lines.filter((line) => !line.startsWith('| step |')).map(readRow));
}

function readRow(line: string): Row {
  const [, steps = '', calls = ''] = line.split('|');
  return { steps: codes(steps), groups: calls.split(',').flatMap(readGroup) };
}

/** `a` `b` is two calls that come together, `each:` and `until:` are for groups that repeat. */
function readGroup(text: string): readonly Group[] {
  const calls = codes(text);
  if (text.includes('each:')) return [{ calls, least: 1, most: Infinity }];
  return [text.includes('until:') ? { calls, least: 0, most: Infinity } : { calls, least: 1, most: 1 }];
}

function codes(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');
}
