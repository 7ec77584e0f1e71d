import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withLock } from '../../src/store/kernel-lock.ts';
import { childEnd, childReady, scratchStore, startChild } from './scratch-store.ts';

describe('withLock()', () => {
  it('lets one action run at a time within a process', async () => {
    const store = await scratchStore();
    let inside = 0;
    let most = 0;
    const work = Array.from({ length: 10 }, () =>
      withLock(store, 'one', async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise(setImmediate);
        inside -= 1;
      }),
    );
    await Promise.all(work);
    expect(most).toBe(1);
    expect(readdirSync(store.path('locks'))).toEqual([]);
  });

  it('keeps out who comes while somebody holds it who had to wait', async () => {
    const store = await scratchStore();
    const trace: string[] = [];
    let third = Promise.resolve();
    let second = Promise.resolve();
    await withLock(store, 'one', async () => {
      second = withLock(store, 'one', async () => {
        third = withLock(store, 'one', async () => void trace.push('third'));
        await withLock(store, 'other', async () => undefined);
        await withLock(store, 'other', async () => undefined);
        trace.push('second ends');
      });
    });
    await second;
    await third;
    expect(trace).toEqual(['second ends', 'third']);
  });

  it('lets one action run at a time among processes', async () => {
    const store = await scratchStore();
    const file = join(store.home, 'tmp', 'trace');
    const children = Array.from({ length: 3 }, () => startChild('count', store.home, file, '15'));
    expect(await Promise.all(children.map(childEnd))).toEqual([0, 0, 0]);
    expect(readFileSync(file, 'utf8')).toBe('in\nout\n'.repeat(45));
  });

  it('is freed by the kernel when its holder is killed', async () => {
    const store = await scratchStore();
    const holder = startChild('lock', store.home, 'one');
    await childReady(holder);
    const end = childEnd(holder);
    const waiting = withLock(store, 'one', async () => 'mine');
    const first = await Promise.race([waiting, withLock(store, 'other', async () => 'still waiting')]);
    expect(first).toBe('still waiting');
    holder.kill('SIGKILL');
    await end;
    expect(await waiting).toBe('mine');
  });

  it('gives up waiting when it is stopped', async () => {
    const store = await scratchStore();
    const stop = new AbortController();
    await withLock(store, 'one', async () => {
      const waiting = withLock(store, { lock: 'one', signal: stop.signal }, async () => 'mine');
      stop.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'E_CANCELLED' });
      // It is the holder's.
      expect(readdirSync(store.path('locks'))).toEqual(['one']);
    });
  });

  it('leaves nothing where it is stopped before anybody holds it', async () => {
    const store = await scratchStore();
    const waiting = withLock(store, { lock: 'one', signal: AbortSignal.abort() }, async () => 'mine');
    await expect(waiting).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(readdirSync(store.path('locks'))).toEqual([]);
  });

  it('frees the lock when the action fails', async () => {
    const store = await scratchStore();
    const failing = withLock(store, 'one', () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await withLock(store, 'one', async () => 1)).toBe(1);
  });
});
