import { describe, expect, it } from 'vitest';
import { KeptAnswers, type KeptAnswer } from '../../src/serve/kept-answers.ts';

function answer(body: string, isFinal = true): KeptAnswer {
  return { status: 200, contentType: 'text/plain', timing: '', body, isFinal };
}

/** Answers that are told apart by how many there were. */
function worker(size = 1): { readonly work: () => Promise<KeptAnswer>; readonly count: () => number } {
  let count = 0;
  return {
    work: async () => answer(`${(count += 1)}`.padStart(size)),
    count: () => count,
  };
}

const LIMITS = { entries: 3, size: 100, lifetimeMs: 1000, clock: () => 0 };

describe('KeptAnswers', () => {
  it('keeps so many, and drops the oldest', async () => {
    const kept = new KeptAnswers(LIMITS);
    const { work, count } = worker();
    for (const key of ['a', 'b', 'c', 'a', 'd', 'a']) await kept.answer({ key, digest: '' }, work);
    // `a` was the oldest when `d` came.
    expect(count()).toBe(5);
  });

  it('keeps no more than fits', async () => {
    const kept = new KeptAnswers(LIMITS);
    const { work, count } = worker(25);
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'f']) await kept.answer({ key, digest: '' }, work);
    expect(count()).toBe(6);
    const { work: large } = worker(26);
    await kept.answer({ key: 'large', digest: '' }, large);
    await expect(kept.answer({ key: 'large', digest: '' }, large)).rejects.toThrow(/more than is kept/);
  });

  it('forgets with time', async () => {
    let now = 0;
    const kept = new KeptAnswers({ ...LIMITS, clock: () => now });
    const { work, count } = worker();
    for (const time of [0, 1000, 1001]) {
      now = time;
      await kept.answer({ key: 'a', digest: '' }, work);
    }
    expect(count()).toBe(2);
  });

  it('keeps nothing of what failed, or was not run', async () => {
    const kept = new KeptAnswers(LIMITS);
    const request = { key: 'a', digest: '' };
    await expect(kept.answer(request, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await kept.answer(request, async () => answer('', false));
    expect((await kept.answer(request, async () => answer('now'))).body).toBe('now');
  });
});
