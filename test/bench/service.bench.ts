import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { formatSize } from '../../src/base/units.ts';
import { findImage } from '../../src/store/images.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { Store } from '../../src/store/store.ts';
import { COMMAND, copyRecipe } from '../support/command.ts';
import { serveForBench, type RunParts, type ServedBench } from './served-bench.ts';

const run = promisify(execFile);
const rows: string[] = [];
const PAUSE_MS = 40;
/** How many are run for the rows on what does not grow; the number of the goal takes a quarter of an hour. */
const MANY_RUNS = Number(process.env['ROOTCELLAR_BENCH_RUNS'] ?? 2000);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function addRow(what: string, figure: string, goal: string, medians = ''): void {
  rows.push(`| ${what} | ${figure} | ${goal} | ${medians} |`);
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** On two processors. */
async function startsASecond(start: () => Promise<unknown>, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let count = 0;
  const chain = async (): Promise<void> => {
    while (performance.now() < end) {
      await start();
      count += 1;
    }
  };
  await Promise.all([chain(), chain()]);
  return count / seconds;
}

/** The most that `measure` gave until `action` was over. */
async function mostDuring(action: Promise<unknown>, measure: () => number): Promise<number> {
  const over = new AbortController();
  void action.finally(() => over.abort());
  let most = 0;
  while (!over.signal.aborted) {
    most = Math.max(most, measure());
    await setTimeout(20);
  }
  return most;
}

describe.sequential('the service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-bench-'));
  const environment = { ...process.env, ROOTCELLAR_HOME: join(folder, 'store') };
  /** The image's own interpreter, in its own root, with nothing around it. */
  let bare: (code: string) => Promise<unknown>;
  let served: ServedBench;
  /** Runs a second that the service is good for. */
  let capacity = Number.NaN;

  async function prepare(recipe: string): Promise<void> {
    const path = join(folder, recipe);
    await copyRecipe(recipe, path);
    await run(process.execPath, [COMMAND, 'build', path], { env: environment, maxBuffer: 2 ** 26 });
    const store = await Store.open({ home: environment.ROOTCELLAR_HOME });
    const root = await materialiseRootfs(store, await findImage(store, recipe), { progress: noProgress });
    await store.close();
    bare = (code) =>
      run('chroot', [root, '/usr/bin/python3', '-c', code], {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp' },
      });
    served = await serveForBench(recipe, environment, ['--max-requests', '200']);
  }

  async function compare(what: string, goal: number, { ours, theirs, count }: Compared): Promise<void> {
    const [own, other]: [number[], number[]] = [[], []];
    await served.run(ours);
    for (let turn = 0; turn < count; turn += 1) {
      await setTimeout(PAUSE_MS);
      own.push(await served.run(ours));
      await setTimeout(PAUSE_MS);
      other.push(await timed(() => bare(theirs)));
    }
    const [a, b] = [median(own), median(other)];
    addRow(what, (a / b).toFixed(3), `≤ ${goal}`, `${a.toFixed(1)} ms : ${b.toFixed(1)} ms`);
  }

  interface Compared {
    readonly ours: string;
    readonly theirs: string;
    readonly count: number;
  }

  beforeAll(() => prepare('python'));

  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    console.log(['', '| what | figure | goal | medians |', '| --- | --- | --- | --- |', ...rows, ''].join('\n'));
  });

  it('a warm run over HTTP, against the bare interpreter', async () => {
    await compare('`print(1)` over HTTP, warm : bare `python3 -c pass`', 0.25, {
      ours: 'print(1)',
      theirs: 'pass',
      count: 60,
    });
    expect(rows).toHaveLength(1);
  });

  it('where the time of a warm run goes, from socket to socket', async () => {
    const all: RunParts[] = [];
    for (let turn = 0; turn < 60; turn += 1) {
      await setTimeout(PAUSE_MS);
      all.push(await served.parts('print(1)'));
    }
    const of = (part: keyof RunParts): string => `${median(all.map((one) => one[part])).toFixed(2)} ms`;
    addRow('of a warm run: sockets, HTTP, key, JSON', of('http'), '', `of ${of('whole')}`);
    addRow('taking a cell, handing it the program, ending it', of('cell'), '');
    addRow('the program', of('program'), '');
    expect(all.every(({ program }) => program > 0)).toBe(true);
  });

  it('runs in a second, against bare starts on as many processors', async () => {
    const theirs = [await startsASecond(() => bare('pass'), 5)];
    const result = await served.load('print(1)', 8, 10);
    theirs.push(await startsASecond(() => bare('pass'), 5));
    const ours = result['2xx'] / result.duration;
    capacity = ours;
    expect(result.non2xx + result.errors).toBe(0);
    const other = median(theirs);
    addRow(
      'sustained runs a second : bare starts a second',
      (ours / other).toFixed(2),
      '≥ 3',
      `${ours.toFixed(0)} : ${other.toFixed(0)} a second`,
    );
  });

  it('latency at half load and at ten times the capacity', async () => {
    const half = await served.load('print(1)', 8, 10, Math.ceil(capacity / 2));
    addRow('p99 : p50 at half load', (half.latency.p99 / half.latency.p50).toFixed(2), '≤ 4');
    const over = await served.load('print(1)', 300, 10, Math.ceil(capacity * 10));
    expect(over.errors + over.timeouts).toBe(0);
    addRow(
      'at ten times the capacity, answered: 200 : 503',
      `${over['2xx']} : ${over.non2xx}`,
      'all',
      `${(over['2xx'] / over.duration).toFixed(0)} runs a second`,
    );
  });

  it('what stays after many runs, and what endless output costs', async () => {
    const before = [served.memory(), served.descriptors()] as const;
    for (let count = 0; count < MANY_RUNS;) {
      const { '2xx': done } = await served.load('print(1)', 8, 10);
      count += done;
    }
    const after = [served.memory(), served.descriptors()] as const;
    addRow(`memory after ${MANY_RUNS} runs : before`, `${formatSize(after[0])} : ${formatSize(before[0])}`, 'flat');
    addRow('descriptors', `${after[1]} : ${before[1]}`, 'flat');
    const flood = served.load('while True: print("x" * 10**6)', 4, 10);
    const most = await mostDuring(flood, served.memory);
    addRow('memory above idle while programs print without end', formatSize(most - after[0]), '≤ 64 MiB');
    expect(most).toBeGreaterThan(0);
  });

  it('pandas imported ahead, against a bare interpreter that imports it', async () => {
    await served[Symbol.asyncDispose]();
    await prepare('python-data');
    const code = 'import pandas\nprint(pandas.Series([1, 2, 3]).sum())';
    await compare('`import pandas` and a sum over HTTP, warm : bare', 0.03, { ours: code, theirs: code, count: 15 });
    expect(rows.at(-1)).toContain('pandas');
  });
});
