import { describe, expect, it } from 'vitest';
import { RunQueue, type Turn } from '../../src/serve/run-queue.ts';

interface Asked {
  readonly turn: Promise<Turn | string>;
  readonly leave: AbortController;
}

function ask(queue: RunQueue, holder: string): Asked {
  const leave = new AbortController();
  const turn = queue
    .enter(holder, leave.signal)
    .catch((error: unknown) => (error instanceof Error ? error.message : ''));
  return { turn, leave };
}

async function turnOf({ turn }: Asked): Promise<Turn> {
  const got = await turn;
  if (typeof got === 'string') throw new Error(got);
  return got;
}

describe('RunQueue', () => {
  it('lets so many in at a time, and measures how long the others wait', async () => {
    let now = 0;
    const queue = new RunQueue({ workers: 2, requests: 10, clock: () => now });
    const asked = [1, 2, 3].map(() => ask(queue, 'a'));
    const [first, second] = [await turnOf(asked[0] ?? ask(queue, '')), await turnOf(asked[1] ?? ask(queue, ''))];
    expect([queue.running, queue.waiting, first.queueMs, second.queueMs]).toEqual([2, 1, 0, 0]);
    now = 30;
    first.release();
    first.release();
    expect([queue.running, queue.waiting]).toEqual([2, 0]);
    expect((await turnOf(asked[2] ?? ask(queue, ''))).queueMs).toBe(30);
  });

  it('takes the holders by turns', async () => {
    const queue = new RunQueue({ workers: 1, requests: 10, clock: () => 0 });
    let turn = await turnOf(ask(queue, 'a'));
    const order: string[] = [];
    const asked = ['a', 'a', 'a', 'b', 'c', 'b'].map(async (holder) => {
      const own = await turnOf(ask(queue, holder));
      order.push(holder);
      turn = own;
    });
    while (queue.waiting > 0) {
      const before = turn;
      before.release();
      await expect.poll(() => turn !== before).toBe(true);
    }
    await Promise.all(asked);
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'a']);
  });

  it('refuses whoever comes to a full queue, unless another has more waiting', async () => {
    const queue = new RunQueue({ workers: 1, requests: 4, clock: () => 0 });
    await turnOf(ask(queue, 'a'));
    const greedy = [1, 2, 3].map(() => ask(queue, 'a'));
    expect(await ask(queue, 'a').turn).toMatch(/as many runs as it takes/);
    ask(queue, 'b');
    expect(await greedy[2]?.turn).toMatch(/as many runs as it takes/);
    // Now a has two and b one: to take one more from a would make it b that has more.
    expect(await ask(queue, 'b').turn).toMatch(/as many runs as it takes/);
    expect([queue.running, queue.waiting]).toEqual([1, 3]);
  });

  it('forgets whoever leaves', async () => {
    const queue = new RunQueue({ workers: 1, requests: 3, clock: () => 0 });
    const first = await turnOf(ask(queue, 'a'));
    const [second, third] = [ask(queue, 'a'), ask(queue, 'b')];
    second.leave.abort(new Error('gone'));
    expect(await second.turn).toBe('gone');
    expect(queue.waiting).toBe(1);
    first.release();
    await turnOf(third);
    const before = AbortSignal.abort(new Error('gone before'));
    await expect(queue.enter('a', before)).rejects.toThrow('gone before');
  });

  it('says when to come back: not before the others are done, and not in hours', async () => {
    let now = 0;
    const queue = new RunQueue({ workers: 1, requests: 1000, clock: () => now });
    expect(queue.retryAfterS).toBe(1);
    for (let run = 0; run < 50; run += 1) {
      const turn = await turnOf(ask(queue, 'a'));
      now += 2000;
      turn.release();
    }
    await turnOf(ask(queue, 'a'));
    for (let count = 0; count < 4; count += 1) ask(queue, 'a');
    expect(queue.retryAfterS).toBe(10);
    for (let count = 0; count < 400; count += 1) ask(queue, 'a');
    expect(queue.retryAfterS).toBe(60);
  });
});
