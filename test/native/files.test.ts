import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeInputs, type InputEntry } from '../../src/run/input-files.ts';
import { encodePlan } from '../../src/run/launch-plan.ts';
import type { TakenFile } from '../../src/run/run-report.ts';
import { readStatus } from '../../src/run/status-reader.ts';
import { workplace, type Workplace } from '../support/command.ts';
import { CANNOT_SANDBOX, leftovers, makeToyHost, removeToyHost, runToy, toyPlan } from './toy-cell.ts';
import type { ToyHost, ToyOutcome } from './toy-cell.ts';

const MIB = 1024 ** 2;

function socketOf(child: ChildProcess, index: number): Socket {
  const streams: readonly unknown[] = child.stdio;
  const stream = streams[index];
  if (stream instanceof Socket) return stream;
  throw new Error(`no pipe ${index}`);
}

function entry(path: string, content: InputEntry['content'], isExecutable = false): InputEntry {
  return { path, content, isExecutable };
}

describe.skipIf(CANNOT_SANDBOX)('files of a cell', () => {
  let host: ToyHost;
  beforeAll(() => {
    host = makeToyHost(['leave-files', 'print-flood', 'exit-with'], 350_000);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  it('are placed in /tmp as the program’s own, with their modes', async () => {
    await using work = await workplace();
    await work.write({ local: 'from a file' });
    const files = placeInputs(
      [
        entry('a/b/c.txt', Buffer.from('content')),
        entry('run.sh', { file: work.path('local'), size: 11 }, true),
        entry('empty', new Uint8Array()),
        entry('folder', undefined),
      ],
      MIB,
    );
    const { stdout, verdict } = await runToy(host, { program: 'leave-files', arguments: ['tree'], change: { files } });
    expect(verdict.status).toBe('ok');
    expect(stdout.toString().trim().split('\n').toSorted()).toEqual([
      '. 41777 0 0',
      './a 40755 1 0',
      './a/b 40755 1 0',
      './a/b/c.txt 100644 1 7',
      './empty 100644 1 0',
      './folder 40755 1 0',
      './run.sh 100755 1 11',
    ]);
  });

  it('may be larger than a plan', async () => {
    const files = placeInputs([entry('large', Buffer.alloc(100 * MIB, 'x'))], 128 * MIB);
    const limits = { memoryBytes: 256 * MIB, tmpBytes: 128 * MIB, wallMs: 60_000 };
    const run = { program: 'leave-files', arguments: ['tree'], limits, change: { files } };
    const { stdout } = await runToy(host, run);
    expect(stdout.toString()).toContain(`./large 100644 1 ${100 * MIB}\n`);
  });

  it('that become shorter while they are read end the run before it began', async () => {
    await using work = await workplace();
    await work.write({ short: 'abc' });
    const files = placeInputs([entry('a', { file: work.path('short'), size: 4 })], MIB);
    const plan = await toyPlan(host, { program: 'leave-files', arguments: ['tree'] });
    await expect(runToy(host, { change: { ...plan, files } })).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(leftovers(host, plan)).toEqual([]);
  });

  it.each([
    ['do not fit', [{ folder: '.', name: 'a', mode: 0o644, content: Buffer.alloc(2 * MIB) }], 'ENOSPC'],
    [
      'are there twice',
      [0, 1].map(() => ({ folder: '.', name: 'a', mode: 0o644, content: Buffer.alloc(1) }) as const),
      'EEXIST',
    ],
    ['are in no folder', [{ folder: 'a', name: 'b', mode: 0o644, content: Buffer.alloc(1) }], 'ENOENT'],
  ] as const)('that %s are refused by the launcher too, and nothing is run', async (_, files, errno) => {
    const { verdict } = await runToy(host, { limits: { tmpBytes: MIB }, change: { files } });
    const message = `files: cannot be placed in /tmp (${errno})`;
    expect(verdict).toMatchObject({ status: 'rejected', error: { step: 'files', message } });
  });

  interface Taken {
    readonly outcome: ToyOutcome;
    readonly files: ReadonlyMap<string, TakenFile>;
  }

  async function take(work: Workplace, words: readonly string[], paths: readonly string[], most = {}): Promise<Taken> {
    const outputs = { paths, mostBytes: 64 * MIB, mostEntries: 4096, ...most };
    const plan = await toyPlan(host, {});
    const limits = { ...plan.limits, tmpInodes: 100_000, tmpBytes: 64 * MIB };
    const outcome = await runToy(host, {
      program: 'leave-files',
      arguments: words,
      change: { outputs, limits },
      request: { outputs: paths.map((path) => ({ path, to: work.path(path.replaceAll('/', '-')) })) },
    });
    return { outcome, files: new Map(outcome.files.map((file) => [file.path, file])) };
  }

  it('are taken out, and nothing that is no file or folder does harm', async () => {
    await using work = await workplace();
    const { files } = await take(work, ['odd'], ['odd']);
    expect(new Map([...files].map(([path, { bytes, error }]) => [path, error ?? bytes]))).toEqual(
      new Map<string, string | number>([
        ['odd/socket', 'not-a-file'],
        ['odd/link', 'symlink'],
        ['odd/root', 'symlink'],
        ['odd/fifo', 'not-a-file'],
        ['odd/plain', 10],
        ['odd/closed', 3],
        ['odd/setuid', 4],
        ['odd/line\nfeed', 1],
        ['odd/\ufffd\ufffd', 1],
        ['odd/-rf', 1],
        ['odd/hard', 10],
        ['odd/shut/inner', 2],
      ]),
    );
    const names = readdirSync(work.path('odd'), { encoding: 'latin1' }).toSorted();
    expect(names).toEqual(['-rf', 'closed', 'hard', 'line\nfeed', 'plain', 'setuid', 'shut', '\xff\xfe'].toSorted());
    expect(['closed', 'setuid', 'shut'].map((name) => statSync(work.path('odd', name)).mode.toString(8))).toEqual([
      '100644',
      '100755',
      '40755',
    ]);
    expect(readFileSync(work.path('odd/hard'), 'utf8')).toBe('x'.repeat(10));
  });

  it.each([
    ['what is not there', 'nothing', 'missing'],
    ['what is below a file', 'small/x', 'missing'],
    ['a link', 'odd/link', 'symlink'],
    ['what is behind a link', 'odd/root/etc/passwd', 'symlink'],
    ['a link as a folder', 'odd/root', 'symlink'],
    ['a FIFO', 'odd/fifo', 'not-a-file'],
    ['a socket', 'odd/socket', 'not-a-file'],
    ['a file of 1 TB', 'sparse', 'too-large'],
  ])('are not taken: %s', async (_, path, error) => {
    await using work = await workplace();
    const { files } = await take(work, ['odd', 'small', 'sparse'], [path]);
    expect([...files.values()]).toEqual([{ path, bytes: 0, error }]);
    expect(readdirSync(work.folder)).toEqual([]);
  });

  it('are taken as long as there is room for them', async () => {
    await using work = await workplace();
    const { files } = await take(work, ['large', 'small'], ['large', 'small'], { mostBytes: MIB });
    expect([...files.values()]).toEqual([
      { path: 'large', bytes: 0, error: 'too-large' },
      { path: 'small', bytes: 5 },
    ]);
    expect(readdirSync(work.folder)).toEqual(['small']);
  });

  it('are counted, in however many folders they are', async () => {
    await using work = await workplace();
    const { files } = await take(work, ['many', 'small'], ['many', 'small'], { mostEntries: 100 });
    const errors = [...files.values()].filter(({ error }) => error !== undefined);
    expect(errors).toEqual([
      { path: 'many', bytes: 0, error: 'too-many' },
      { path: 'small', bytes: 0, error: 'too-many' },
    ]);
    expect(readdirSync(work.path('many'))).toHaveLength(99);
  });

  it('are looked for in folders that are not too deep', async () => {
    await using work = await workplace();
    const { files } = await take(work, ['deep'], ['deep']);
    expect([...files.values()]).toEqual([{ path: `deep${'/d'.repeat(64)}`, bytes: 0, error: 'too-deep' }]);
  });

  it('are taken of a run that failed too', async () => {
    await using work = await workplace();
    const { files, outcome } = await take(work, ['small', 'crash'], ['small']);
    expect(outcome.verdict.status).toBe('signal');
    expect([...files.values()]).toEqual([{ path: 'small', bytes: 5 }]);
  });

  it('are not taken of a run that was cancelled, or that never was', async () => {
    await using work = await workplace();
    const outputs = { paths: ['small'], mostBytes: MIB, mostEntries: 9 };
    const request = { outputs: [{ path: 'small', to: work.path('small') }] };
    const notTaken = [{ path: 'small', bytes: 0, error: 'not-taken' }];
    const never = await runToy(host, { change: { outputs, arguments: ['/bin/nothing'] }, request });
    expect(never.files).toEqual(notTaken);
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(), 200);
    const run = { program: 'leave-files', arguments: ['small', 'wait'], change: { outputs } };
    const cancelled = await runToy(host, { ...run, request: { ...request, signal: cancel.signal } });
    expect([cancelled.verdict.status, cancelled.files]).toEqual(['cancelled', notTaken]);
    expect(readdirSync(work.folder)).toEqual([]);
  });

  it('wait for a slow reader, until the run is cancelled', async () => {
    const outputs = { paths: ['large'], mostBytes: 64 * MIB, mostEntries: 9 };
    const plan = await toyPlan(host, { program: 'leave-files', arguments: ['large'], change: { outputs } });
    const planFile = join(host.folder, 'slow-plan');
    writeFileSync(planFile, encodePlan(plan));
    const child = spawn(host.cellPath, ['run'], {
      stdio: ['ignore', 'pipe', 'pipe', openSync(planFile, 'r'), 'pipe', 'pipe'],
    });
    const [status, frames] = [socketOf(child, 4), socketOf(child, 5)];
    const records = text(status);
    frames.pause();
    const isOver = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    const first = await Promise.race([isOver, new Promise((resolve) => setTimeout(resolve, 1000, 'waits'))]);
    expect(first).toBe('waits');
    status.end();
    expect(readStatus(await records)).toMatchObject({ isComplete: true, isCleanupProven: true });
    frames.destroy();
    await isOver;
    expect(leftovers(host, plan)).toEqual([]);
  });

  it('are no reason to wait for a reader that is gone', async () => {
    const outputs = { paths: ['large'], mostBytes: 64 * MIB, mostEntries: 9 };
    const plan = await toyPlan(host, { program: 'leave-files', arguments: ['large'], change: { outputs } });
    const planFile = join(host.folder, 'gone-plan');
    writeFileSync(planFile, encodePlan(plan));
    // No descriptor 5 at all.
    const child = spawn(host.cellPath, ['run'], { stdio: ['ignore', 'pipe', 'pipe', openSync(planFile, 'r'), 'pipe'] });
    const status = socketOf(child, 4);
    expect(readStatus(await text(status))).toMatchObject({ isComplete: true, end: { kind: 'exited', status: 0 } });
  });

  it('output that cannot be written is told, and a reader that has gone is not', async () => {
    const plan = await toyPlan(host, { program: 'print-flood', limits: { outputBytes: 1024 ** 3 } });
    const planFile = join(host.folder, 'lost-plan');
    writeFileSync(planFile, encodePlan(plan));
    const child = spawn(host.cellPath, ['run'], {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe', openSync(planFile, 'r'), 'pipe'],
    });
    const status = socketOf(child, 4);
    const facts = readStatus(await text(status));
    expect(facts).toMatchObject({ lost: { stdout: 28, stderr: undefined }, end: { kind: 'signalled', signal: 13 } });
  });
});
