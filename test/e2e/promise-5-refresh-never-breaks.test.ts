import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { rootcellar, workplace, type Ended, type Workplace } from '../support/command.ts';
import { served, type Served } from '../support/served.ts';
import { skipWithout } from '../support/skip-without.ts';
import type { ToyWheel } from '../support/toy-index.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

const KEY = 'key-of-this-test';
const NAME = 'fresh';

/** What runs did meanwhile: versions as they were seen, in order and each once, and whatever was no good answer. */
interface Traffic {
  readonly versions: readonly string[];
  readonly failures: readonly string[];
  readonly count: () => number;
  /** What the newest run that has ended saw. */
  readonly last: () => string;
  readonly stop: () => Promise<void>;
}

/** Two clients, one run after the other. Each imports what is refreshed, twice, with time between for a switch. */
function startTraffic(url: string): Traffic {
  const versions: string[] = [];
  const failures: string[] = [];
  const traffic = { count: 0, last: '', isOver: false };
  const code = 'import time, moving\ntime.sleep(0.05)\nimport steady\nprint(moving.version, steady.version)';
  const client = async (): Promise<void> => {
    while (!traffic.isOver) {
      const headers = { 'x-api-key': KEY, 'content-type': 'application/json' };
      const answer = await fetch(`${url}/v1/run`, { method: 'POST', headers, body: JSON.stringify({ code }) });
      const { report = {}, ...fault } = Object(await answer.json());
      traffic.count += 1;
      if (answer.status !== 200 || report.status !== 'ok') {
        failures.push(`${report.status} ${report.stderr} ${JSON.stringify(fault)}`);
        continue;
      }
      traffic.last = report.stdout.trim();
      if (!versions.includes(traffic.last)) versions.push(traffic.last);
    }
  };
  const clients = [client(), client()];
  const stop = async (): Promise<void> => {
    traffic.isOver = true;
    await Promise.all(clients);
  };
  return { versions, failures, count: () => traffic.count, last: () => traffic.last, stop };
}

let machine: ToyMachine;
let work: Workplace;
let recipe: string;
let service: Served;

function command(...words: readonly string[]): Promise<Ended> {
  return rootcellar([...words, '-q'], { home: work.path('store'), environment: machine.environment });
}

function release(version: string, code: string, more: Partial<ToyWheel> = {}): void {
  machine.index.publish([
    { name: 'moving', version, files: { 'moving.py': `version = "${version}"\n${code}` }, ...more },
  ]);
}

describe.skipIf(CANNOT_SANDBOX)('promise 5: a refresh never breaks a running service', () => {
  beforeAll(async () => {
    machine = await startToyMachine({
      wheels: [{ name: 'steady', version: '1.0', files: { 'steady.py': 'version = "1.0"\n' } }],
    });
    work = await workplace();
    release('1.0', '');
    recipe = await machine.recipe(work.path('recipes'), {
      name: NAME,
      packages: ['toy-python'],
      requirements: ['moving', 'steady'],
      more: 'sandbox: { limits: { memory: 64MiB, processes: 8, wall: 8s, tmp: 8MiB } }\n',
    });
    const built = await command('build', recipe);
    if (built.status !== 0) throw new Error(built.stderr);
    service = served([NAME, '--listen', '127.0.0.1:0'], {
      home: work.path('store'),
      cwd: work.folder,
      environment: { ...machine.environment, ROOTCELLAR_API_KEY: KEY },
    });
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  });

  it('whatever is released meanwhile: new, broken, yanked, malicious and slow', async (test) => {
    if (skipWithout('uv', machine.hasUv)) return test.skip();
    const traffic = startTraffic(await service.url());
    const steps: readonly (readonly [what: string, publish: () => void, status: number, serving: string])[] = [
      ['a new one', () => release('1.1', ''), 0, '1.1'],
      ['one that cannot be imported', () => release('1.2', 'raise ImportError("broken")'), 11, '1.1'],
      ['a yanked one', () => release('1.3', '', { yanked: true }), 11, '1.1'],
      ['one that never ends', () => release('1.4', 'while True: pass'), 11, '1.1'],
      [
        'one that kills all it can',
        () => release('1.5', 'import os\nos.kill(-1, 9)\nos.kill(1, 9)\nos._exit(0)'),
        11,
        '1.1',
      ],
      ['one that forks without end', () => release('1.6', 'import os\nwhile True: os.fork()'), 11, '1.1'],
      [
        'one that fills memory and /tmp',
        () => release('1.7', 'open("/tmp/x", "wb").write(bytes(2 ** 25))\nx = [bytes(2 ** 20) for _ in range(999)]'),
        11,
        '1.1',
      ],
      [
        'one that takes away what others need',
        () => release('1.8', 'import sys\nsys.modules["steady"] = None'),
        11,
        '1.1',
      ],
      ['one whose file is cut off', () => cutOff('1.9'), 1, '1.1'],
      ['a good one', () => release('2.0', ''), 0, '2.0'],
    ];
    for (const [what, publish, status, serving] of steps) {
      publish();
      const ended = await command('refresh', recipe);
      expect(ended.status, `${what}: ${ended.stdout}${ended.stderr}`).toBe(status);
      expect(ended.stderr.split('\n')[0]).toMatch(/^(?:error\[E_DOWNLOAD\]|warning|$)/);
      await moreRuns(traffic);
      expect(traffic.failures, what).toEqual([]);
      await expect.poll(() => traffic.last(), { timeout: 20_000 }).toBe(`${serving} 1.0`);
    }
    const { culprits } = JSON.parse((await command('history', NAME, '--json')).stdout).history.refreshes[2];
    expect(culprits).toEqual([['moving']]);
    expect((await command('rollback', NAME)).status).toBe(0);
    await expect.poll(() => traffic.last(), { timeout: 20_000 }).toBe('1.1 1.0');
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(traffic.versions).toEqual(['1.0 1.0', '1.1 1.0', '2.0 1.0']);
    expect((await command('verify', '--store')).status).toBe(0);
  });
});

function cutOff(version: string): void {
  release(version, '');
  for (const path of machine.index.server.files.keys()) {
    if (path.includes(`moving-${version}`)) machine.index.server.faults.set(path, { kind: 'truncate' });
  }
}

/** What was begun before has ended, and there were others after it. */
async function moreRuns(traffic: Traffic): Promise<void> {
  const before = traffic.count();
  await expect.poll(() => traffic.count() > before + 5, { timeout: 20_000 }).toBe(true);
}
