import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { addRefreshRecord, lastRefresh, readHistory, type NewRefreshRecord } from '../../src/store/refresh-history.ts';
import type { Store } from '../../src/store/store.ts';
import { scratchStore } from './scratch-store.ts';

function record(result: NewRefreshRecord['result'], time: string, more: Partial<NewRefreshRecord> = {}) {
  return {
    result,
    time,
    durationMs: 1200,
    from: digestOf('before'),
    to: digestOf('before'),
    generations: [],
    report: { name: 'toy', architectures: [] },
    faults: [],
    culprits: [],
    log: [],
    ...more,
  } as const satisfies NewRefreshRecord;
}

async function outline(store: Store): Promise<readonly string[]> {
  const { records } = await readHistory(store, 'toy');
  return records.map(({ number, result, time, repeated }) => `${number} ${result} ${time} ${repeated.times}`);
}

describe('addRefreshRecord()', () => {
  it('keeps all of a record, newest first', async () => {
    const store = await scratchStore();
    const switched = record('switched', '2026-01-02T00:00:00Z', {
      to: digestOf('after'),
      generations: [{ architecture: 'arm64', generation: 7 }],
      report: { name: 'toy', architectures: [{ architecture: 'arm64' }] },
      log: ['pack: 3 files'],
    });
    const failed = record('failed', '2026-01-03T00:00:00Z', {
      from: undefined,
      to: undefined,
      report: null,
      faults: ['error[E_DOWNLOAD] no'],
      culprits: [['a', 'b'], ['c']],
    });
    await addRefreshRecord(store, 'toy', switched);
    await addRefreshRecord(store, 'toy', failed);
    const [newest, oldest] = (await readHistory(store, 'toy')).records;
    expect(newest).toEqual({ ...failed, number: 2, repeated: { times: 1, since: failed.time } });
    expect(oldest).toEqual({ ...switched, number: 1, repeated: { times: 1, since: switched.time } });
    expect(await lastRefresh(store, 'toy')).toEqual(newest);
    expect(await readHistory(store, 'other')).toEqual({ records: [], damaged: [] });
    expect(await lastRefresh(store, 'other')).toBeUndefined();
  });

  it('makes one of those that found nothing new one after the other', async () => {
    const store = await scratchStore();
    for (const day of [1, 2, 3]) await addRefreshRecord(store, 'toy', record('current', `2026-01-0${day}T00:00:00Z`));
    expect(await outline(store)).toEqual(['1 current 2026-01-03T00:00:00Z 3']);
    expect((await lastRefresh(store, 'toy'))?.repeated.since).toBe('2026-01-01T00:00:00Z');
    await addRefreshRecord(store, 'toy', record('kept', '2026-01-04T00:00:00Z'));
    await addRefreshRecord(store, 'toy', record('current', '2026-01-05T00:00:00Z'));
    await addRefreshRecord(store, 'toy', record('current', '2026-01-06T00:00:00Z', { from: digestOf('other') }));
    expect(await outline(store)).toEqual([
      '4 current 2026-01-06T00:00:00Z 1',
      '3 current 2026-01-05T00:00:00Z 1',
      '2 kept 2026-01-04T00:00:00Z 1',
      '1 current 2026-01-03T00:00:00Z 3',
    ]);
  });

  it('keeps 500 records, and 1000 lines of a log', async () => {
    const store = await scratchStore();
    const log = Array.from({ length: 1500 }, (_, index) => `line ${index}`);
    await addRefreshRecord(store, 'toy', record('kept', '2026-01-01T00:00:00Z', { log }));
    expect((await lastRefresh(store, 'toy'))?.log.slice(0, 1)).toEqual(['line 500']);
    for (let index = 0; index < 501; index += 1) await addRefreshRecord(store, 'toy', record('kept', `${index}`));
    const files = readdirSync(store.path('refreshes', 'toy'));
    expect(files).toHaveLength(500);
    expect((await lastRefresh(store, 'toy'))?.number).toBe(502);
    expect(files).not.toContain('2.json');
  });

  it('tells which record is damaged, beside the others, and goes on after it', async () => {
    const store = await scratchStore();
    for (const day of [1, 2, 3]) await addRefreshRecord(store, 'toy', record('kept', `2026-01-0${day}T00:00:00Z`));
    const [second, third] = ['2.json', '3.json'].map((file) => store.path('refreshes', 'toy', file));
    writeFileSync(second ?? '', '{"number":1}');
    writeFileSync(third ?? '', '');
    expect(await outline(store)).toEqual(['1 kept 2026-01-01T00:00:00Z 1']);
    expect((await readHistory(store, 'toy')).damaged).toEqual([third, second]);
    expect((await lastRefresh(store, 'toy'))?.number).toBe(1);
    await addRefreshRecord(store, 'toy', record('kept', '2026-01-04T00:00:00Z'));
    expect((await lastRefresh(store, 'toy'))?.number).toBe(4);
    expect(readFileSync(third ?? '', 'utf8')).toBe('');
  });
});
