import { describe, expect, it, vi } from 'vitest';
import { CellStock, type Stocked, type StockClock, type StockRequest } from '../../src/run/cell-stock.ts';

/** What is stocked, with what happens to it in the hands of the test. */
interface Toy extends Stocked {
  readonly number: number;
  readonly getReady: (isReady: boolean) => void;
  readonly die: () => void;
  readonly isDiscarded: () => boolean;
}

function notYet(): void {
  throw new Error('unreachable: a promise is made at once');
}

function toy(number: number, reason?: string): Toy {
  let [isAlive, isDiscarded] = [true, false];
  let getReady: (isReady: boolean) => void = notYet;
  let end: () => void = notYet;
  const ready = new Promise<boolean>((resolve) => {
    getReady = resolve;
  });
  const gone = new Promise<void>((resolve) => {
    end = resolve;
  });
  const die = (): void => {
    isAlive = false;
    end();
  };
  const discard = async (): Promise<string | undefined> => {
    die();
    await oneTurn();
    isDiscarded = true;
    return reason;
  };
  return {
    number,
    ready,
    gone,
    getReady,
    die,
    discard,
    isWaiting: () => isAlive,
    isDiscarded: () => isDiscarded,
  };
}

interface ToyClock extends StockClock {
  readonly advance: (ms: number) => Promise<void>;
  /** How many wait for it. */
  readonly waiting: () => number;
}

function toyClock(): ToyClock {
  let now = 0;
  let alarms: readonly { readonly at: number; readonly ring: () => void }[] = [];
  return {
    now: () => now,
    wait: (ms, signal) =>
      new Promise((resolve) => {
        const alarm = { at: now + ms, ring: resolve };
        alarms = [...alarms, alarm];
        signal.addEventListener('abort', () => {
          alarms = alarms.filter((other) => other !== alarm);
          resolve();
        });
      }),
    advance: async (ms) => {
      now += ms;
      const due = alarms.filter(({ at }) => at <= now);
      alarms = alarms.filter(({ at }) => at > now);
      for (const { ring } of due) ring();
      await settled();
    },
    waiting: () => alarms.length,
  };
}

/** Until everything that could happen by itself has happened: nothing here waits for more than one turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await oneTurn();
}

function oneTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

interface ToyStock {
  readonly stock: CellStock<Toy>;
  readonly made: readonly Toy[];
  readonly clock: ToyClock;
  /** Makes all that is being made ready, until nothing more is. */
  readonly fill: () => Promise<void>;
}

function toyStock(settings: Partial<StockRequest<Toy>> = {}): ToyStock {
  const made: Toy[] = [];
  const clock = toyClock();
  const make = (): Promise<Toy> => {
    made.push(toy(made.length));
    return Promise.resolve(made.at(-1) ?? toy(-1));
  };
  const stock = new CellStock<Toy>({ size: 3, makers: 2, longestWaitMs: 60_000, make, clock, ...settings });
  const fill = async (): Promise<void> => {
    for (let before = -1; before < made.length;) {
      before = made.length;
      // Whoever has taken one goes before the next is made, and whoever comes right behind, too.
      await clock.advance(15);
      for (const each of made) each.getReady(true);
      await settled();
    }
  };
  return { stock, made, clock, fill };
}

describe('CellStock', () => {
  it('makes as many as should wait, no more than `makers` at the same time', async () => {
    const { stock, made, fill, clock } = toyStock();
    expect(stock.take()).toBeUndefined();
    expect(stock.state()).toMatchObject({ making: 0 });
    await clock.advance(0);
    expect(stock.state()).toEqual({ waiting: 0, making: 2, size: 3, failures: 0, lastFailure: undefined });
    made[0]?.getReady(true);
    await settled();
    // Up to the half of them; the others wait until nobody is in haste.
    expect(stock.state()).toMatchObject({ waiting: 1, making: 1 });
    const filled = stock.filled();
    await fill();
    await filled;
    expect(stock.state()).toMatchObject({ waiting: 3, making: 0 });
    expect(made).toHaveLength(3);
  });

  it('gives each one to one taker, the oldest first, and makes others in their place', async () => {
    const { stock, made, fill } = toyStock();
    void stock.filled();
    await fill();
    const taken = [stock.take(), stock.take(), stock.take(), stock.take()];
    expect(taken.map((each) => each?.number)).toEqual([0, 1, 2, undefined]);
    await fill();
    expect(made).toHaveLength(6);
    expect(made.map((each) => each.isDiscarded())).toEqual(Array(6).fill(false));
    expect(stock.take()?.number).toBe(3);
  });

  it('makes none for a moment after one was taken, as long as enough are left', async () => {
    const { stock, made, fill, clock } = toyStock();
    void stock.filled();
    await fill();
    await clock.advance(1000);
    stock.take();
    await clock.advance(10);
    stock.take();
    await clock.advance(10);
    expect([stock.state().making, made.length]).toEqual([1, 4]);
    await clock.advance(4);
    expect(made).toHaveLength(4);
    await clock.advance(1);
    expect([stock.state().making, made.length]).toEqual([2, 5]);
  });

  it('gives nobody one that is dead, though nobody has heard of it yet', async () => {
    const { stock, made, fill, clock } = toyStock();
    void stock.filled();
    await fill();
    await clock.advance(5000);
    made[0]?.die();
    expect(stock.take()?.number).toBe(1);
    await settled();
    expect(made[0]?.isDiscarded()).toBe(true);
  });

  it('replaces one that dies while it waits', async () => {
    const { stock, made, fill, clock } = toyStock();
    void stock.filled();
    await fill();
    await clock.advance(5000);
    made[1]?.die();
    await fill();
    expect(stock.state()).toMatchObject({ waiting: 3, failures: 0 });
    expect([made[1]?.isDiscarded(), made.length]).toEqual([true, 4]);
  });

  it('waits before it replaces one that died as soon as it was ready', async () => {
    const { stock, made, fill, clock } = toyStock();
    void stock.filled();
    await fill();
    made[1]?.die();
    await settled();
    expect(stock.state()).toMatchObject({ waiting: 2, making: 0, failures: 1 });
    expect(stock.state().lastFailure).toBe('it ended as soon as it was ready');
    await clock.advance(500);
    await fill();
    expect(stock.state()).toMatchObject({ waiting: 3, failures: 0, lastFailure: undefined });
  });

  it('replaces one that has waited too long, and forgets the age of those that were taken', async () => {
    const { stock, made, fill, clock } = toyStock({ size: 2 });
    void stock.filled();
    await fill();
    const taken = stock.take();
    await clock.advance(59_000);
    await fill();
    expect(clock.waiting()).toBe(2);
    await clock.advance(1000);
    await fill();
    expect(made.map((each) => each.isDiscarded())).toEqual([false, true, false, false]);
    expect([taken?.number, stock.state().waiting]).toEqual([0, 2]);
  });

  it.each([
    ['cannot be made', { make: () => Promise.reject(new Error('no cells here')) }, 'no cells here'],
    ['ends before it is ready', { make: () => Promise.resolve(neverReady('no module')) }, 'no module'],
    ['ends without a word', { make: () => Promise.resolve(neverReady()) }, 'it ended before it was ready'],
  ])('tells why one %s, and waits longer each time', async (_, settings, reason) => {
    const { stock, clock } = toyStock({ makers: 1, ...settings });
    await stock.filled();
    for (const [failures, pause] of [500, 1000, 2000, 4000].entries()) {
      await settled();
      expect(stock.state()).toMatchObject({ waiting: 0, making: 0, failures: failures + 1, lastFailure: reason });
      await clock.advance(pause - 1);
      expect(stock.state().failures).toBe(failures + 1);
      expect(stock.take()).toBeUndefined();
      await clock.advance(1);
    }
    for (let more = 6; more < 14; more += 1) {
      await clock.advance(60_000);
      await settled();
      expect(stock.state().failures).toBe(more);
    }
  });

  it('discards what never got ready', async () => {
    const failed = neverReady();
    const { stock } = toyStock({ makers: 1, make: () => Promise.resolve(failed) });
    await stock.filled();
    expect(failed.isDiscarded()).toBe(true);
  });

  it('goes on where one cannot be discarded, and tells why', async () => {
    const stuck = { ...toy(0), ready: Promise.resolve(true), discard: () => Promise.reject(new Error('stuck')) };
    const { stock } = toyStock({ size: 1, make: () => Promise.resolve(stuck) });
    await stock.filled();
    await stock.close();
    expect(stock.state()).toMatchObject({ waiting: 0, lastFailure: 'stuck' });
  });

  it('is closed when everything is gone, also what is just being made', async () => {
    const { stock, made, fill, clock } = toyStock();
    void stock.filled();
    await settled();
    made[0]?.getReady(true);
    await settled();
    const told = vi.fn<(gone: number) => void>();
    const filled = stock.filled();
    const closed = stock.close().then(() => told(made.filter((each) => each.isDiscarded()).length));
    await filled;
    await settled();
    expect(made[0]?.isDiscarded()).toBe(true);
    expect(told).not.toHaveBeenCalled();
    await fill();
    await closed;
    expect(made).toHaveLength(3);
    expect(told.mock.calls).toEqual([[3]]);
    expect(stock.take()).toBeUndefined();
    await clock.advance(600_000);
    expect([stock.state().waiting, made.length, clock.waiting()]).toEqual([0, 3, 0]);
  });
});

function neverReady(reason?: string): Toy {
  const made = toy(0, reason);
  made.getReady(false);
  return made;
}
