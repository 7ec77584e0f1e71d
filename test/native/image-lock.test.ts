import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchCell, type RunningCell } from '../../src/run/launch-cell.ts';
import { CANNOT_SANDBOX, makeToyHost, removeToyHost, runToy, toyPlan, type ToyHost } from './toy-cell.ts';

const ENOENT = 2;
const EWOULDBLOCK = 11;
const ELOOP = 40;

describe.skipIf(CANNOT_SANDBOX)('the lock of an image', () => {
  let host: ToyHost;
  let lock: string;
  beforeAll(() => {
    host = makeToyHost(['exit-with', 'ignore-signals'], 370_000);
    lock = join(host.folder, 'uses');
    writeFileSync(lock, '');
  }, 60_000);
  afterAll(() => removeToyHost(host));

  /** Whether somebody else could have it alone. */
  function isFree(): boolean {
    return spawnSync('flock', ['--exclusive', '--nonblock', lock, 'true']).status === 0;
  }

  async function failure(imageLock: string): Promise<unknown> {
    return (await runToy(host, { change: { imageLock } })).facts.failure;
  }

  it('is held as long as the cell lives, beside others, and free afterwards', async () => {
    const stop = new AbortController();
    const plan = await toyPlan(host, { program: 'ignore-signals', change: { imageLock: lock } });
    const { cellPath } = host;
    let cell: RunningCell | undefined;
    await new Promise<void>((resolve) => {
      const onOutput = (): void => resolve();
      cell = launchCell({ plan, cellPath, stdio: 'stream', onOutput, signal: stop.signal });
    });
    expect(isFree()).toBe(false);
    const other = await toyPlan(host, { arguments: ['7'], change: { imageLock: lock } });
    const beside = await launchCell({ plan: other, cellPath, stdio: 'capture' }).outcome;
    expect(beside.facts.end).toEqual({ kind: 'exited', status: 7 });
    expect(isFree()).toBe(false);
    stop.abort();
    await cell?.outcome;
    expect(isFree()).toBe(true);
  });

  it('fails closed where the image is gone, being removed, or no file', async () => {
    expect(await failure(join(host.folder, 'nothing'))).toEqual({ step: 'image-lock', errno: ENOENT });
    symlinkSync(lock, join(host.folder, 'link'));
    expect(await failure(join(host.folder, 'link'))).toEqual({ step: 'image-lock', errno: ELOOP });
    const remover = spawn('flock', ['--exclusive', lock, '-c', 'echo; read x'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(remover.stdout, 'data');
    expect(await failure(lock)).toEqual({ step: 'image-lock', errno: EWOULDBLOCK });
    remover.stdin.end('\n');
    await once(remover, 'close');
    expect(await failure(lock)).toBeUndefined();
  });

  it('is not taken on a file that lost its name while it was opened', async () => {
    // Between openat and flock: strace(1) holds the launcher there, and the name goes meanwhile.
    const work = join(host.folder, 'work');
    mkdirSync(work);
    const doomed = join(work, 'doomed');
    writeFileSync(doomed, '');
    const traced = join(work, 'cell');
    const trace = join(work, 'trace');
    const words = `strace -f -o ${trace} -e trace=flock -e inject=flock:delay_enter=1000000 ${host.cellPath}`;
    writeFileSync(traced, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    const plan = await toyPlan(host, { change: { imageLock: doomed } });
    const cell = launchCell({ plan, cellPath: traced, stdio: 'capture' });
    await vi.waitUntil(() => existsSync(trace) && readFileSync(trace, 'utf8').includes('flock'), { timeout: 10_000 });
    rmSync(doomed);
    expect((await cell.outcome).facts.failure).toEqual({ step: 'image-lock', errno: ENOENT });
    expect(readFileSync(trace, 'utf8')).toContain('= 0');
  });
});
