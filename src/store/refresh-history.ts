import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import { canonicalJson, type Json } from '../base/canonical-json.ts';
import { isDigest, type Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { syncFolder, writeDurably } from './durable-file.ts';
import { jsonFrom, listFrom, numberFrom, recordFrom, textFrom, textsFrom } from './json-shape.ts';
import type { Store } from './store.ts';

/** How a refresh ended: nothing was new; it was taken; it was no good; it could not be had or tried. */
export type RefreshOutcome = (typeof OUTCOMES)[number];

const OUTCOMES = ['current', 'switched', 'kept', 'failed'] as const;

/** What is remembered of a refresh. */
export interface RefreshRecord {
  /** Counts from 1 within the name. */
  readonly number: number;
  readonly result: RefreshOutcome;
  /** Of its end, as RFC 3339 writes times. */
  readonly time: string;
  readonly durationMs: number;
  /** How many in a row found nothing new and are one record, and when the first of them ended. */
  readonly repeated: { readonly times: number; readonly since: string };
  /** The lockfile that was there before, and the one that is there now or was tried; undefined where it did not come that far. */
  readonly from: Digest | undefined;
  readonly to: Digest | undefined;
  readonly generations: readonly { readonly architecture: Architecture; readonly generation: number }[];
  /** The change report, as the verb writes it. */
  readonly report: Json;
  /** Why it was not taken, a line each. */
  readonly faults: readonly string[];
  /** The packages that did it, those together that do it only together. */
  readonly culprits: readonly (readonly string[])[];
  /** What was told meanwhile, a line each; the last ones, where there were many. */
  readonly log: readonly string[];
}

export type NewRefreshRecord = Omit<RefreshRecord, 'number' | 'repeated'>;

/** Older ones go. */
const MOST_RECORDS = 500;
const MOST_LOG_LINES = 1000;

/**
 * Keeps `record` as the newest of `name`. Refreshes that find nothing new, one after the other, are one record, so that the
 * history does not grow by them. Its caller holds the lock of the name's refreshes.
 */
export async function addRefreshRecord(store: Store, name: string, record: NewRefreshRecord): Promise<void> {
  const folder = store.path('refreshes', name);
  await mkdir(folder, { recursive: true });
  syncFolder(store.path('refreshes'));
  const numbers = await recordNumbers(store, name);
  const last = numbers.at(-1) ?? 0;
  const before = last === 0 ? 'gone' : await readRecord(store, name, last);
  const isSame =
    typeof before === 'object' &&
    before.result === 'current' &&
    record.result === 'current' &&
    before.from === record.from;
  const number = isSame ? last : last + 1;
  const repeated = isSame
    ? { times: before.repeated.times + 1, since: before.repeated.since }
    : { times: 1, since: record.time };
  const kept: RefreshRecord = { ...record, number, repeated, log: record.log.slice(-MOST_LOG_LINES) };
  await writeDurably(store, recordPath(store, name, number), `${canonicalJson({ ...kept })}\n`);
  for (const old of numbers.slice(0, Math.max(0, numbers.length + 1 - MOST_RECORDS))) {
    await rm(recordPath(store, name, old), { force: true });
  }
}

export interface RefreshHistory {
  /** Newest first. */
  readonly records: readonly RefreshRecord[];
  /** Paths of records that cannot be read, newest first. */
  readonly damaged: readonly string[];
}

/** What is remembered of the refreshes of `name`. */
export async function readHistory(store: Store, name: string): Promise<RefreshHistory> {
  const numbers = (await recordNumbers(store, name)).toReversed();
  const readings = await Promise.all(numbers.map((number) => readRecord(store, name, number)));
  return {
    records: readings.filter((reading) => typeof reading === 'object'),
    damaged: numbers.flatMap((number, index) =>
      readings[index] === 'damaged' ? [recordPath(store, name, number)] : [],
    ),
  };
}

/** The newest record alone that can be read: a damaged one must not end all refreshes to come. */
export async function lastRefresh(store: Store, name: string): Promise<RefreshRecord | undefined> {
  for (const number of (await recordNumbers(store, name)).toReversed()) {
    const reading = await readRecord(store, name, number);
    if (typeof reading === 'object') return reading;
  }
  return undefined;
}

/** For a name that nothing has any more. */
export async function forgetRefreshes(store: Store, name: string): Promise<void> {
  await rm(store.path('refreshes', name), { recursive: true, force: true });
}

/** Throws a plain Error when `text` is no record. */
export function parseRefreshRecord(text: string): RefreshRecord {
  const record = recordFrom(JSON.parse(text));
  const repeated = recordFrom(record['repeated']);
  const result = OUTCOMES.find((one) => one === record['result']);
  if (result === undefined) throw new Error('its result is unknown');
  return {
    number: numberFrom(record['number']),
    result,
    time: textFrom(record['time']),
    durationMs: numberFrom(record['durationMs']),
    repeated: { times: numberFrom(repeated['times']), since: textFrom(repeated['since']) },
    from: digestOrNothing(record['from']),
    to: digestOrNothing(record['to']),
    generations: listFrom(record['generations']).map((value) => {
      const { architecture: name, generation } = recordFrom(value);
      const architecture = parseArchitecture(textFrom(name));
      if (architecture === undefined) throw new Error('its architecture is unknown');
      return { architecture, generation: numberFrom(generation) };
    }),
    report: jsonFrom(record['report']),
    faults: textsFrom(record['faults']),
    culprits: listFrom(record['culprits']).map(textsFrom),
    log: textsFrom(record['log']),
  };
}

function digestOrNothing(value: unknown): Digest | undefined {
  if (value === undefined) return undefined;
  const text = textFrom(value);
  if (!isDigest(text)) throw new Error('a digest is malformed');
  return text;
}

function recordPath(store: Store, name: string, number: number): string {
  return store.path('refreshes', name, `${number}.json`);
}

async function readRecord(store: Store, name: string, number: number): Promise<RefreshRecord | 'gone' | 'damaged'> {
  try {
    return parseRefreshRecord(await readFile(recordPath(store, name, number), 'utf8'));
  } catch (error) {
    return isErrno(error, 'ENOENT') ? 'gone' : 'damaged';
  }
}

/** Ascending. */
async function recordNumbers(store: Store, name: string): Promise<readonly number[]> {
  try {
    const files = await readdir(store.path('refreshes', name));
    return files
      .flatMap((file) => (/^[1-9]\d{0,8}\.json$/.test(file) ? [Number.parseInt(file, 10)] : []))
      .toSorted((a, b) => a - b);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
