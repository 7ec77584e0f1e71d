import type { Architecture } from '../base/architecture.ts';
import { madeAt, readCurrent } from '../store/images.ts';
import { lastRefresh, readHistory, type RefreshRecord } from '../store/refresh-history.ts';
import type { Store } from '../store/store.ts';
import type { Attempt } from './keep-refreshing.ts';

/**
 * The last refresh of an image, as the store knows it; before the first one, when its current generation was made. Undefined:
 * there is neither. Throws E_STORE_INVALID.
 */
export async function lastAttempt(
  store: Store,
  name: string,
  architecture: Architecture,
): Promise<Attempt | undefined> {
  const last = await lastRefresh(store, name);
  if (last !== undefined) return attemptOf(isFailure(last) ? (await readHistory(store, name)).records : [last]);
  const current = await readCurrent(store, name, architecture);
  return current === undefined ? undefined : { endedAt: Date.parse(await madeAt(store, current)), failures: 0 };
}

/** Of records, newest first. One that was stopped was none; what was kept from another lockfile is no repetition. */
export function attemptOf(
  records: readonly Pick<RefreshRecord, 'result' | 'time' | 'to' | 'faults'>[],
): Attempt | undefined {
  const whole = records.filter(({ faults }) => !faults.some((fault) => fault.startsWith('error[E_CANCELLED]')));
  const [last] = whole;
  if (last === undefined) return undefined;
  const { to } = whole.find((record) => record.to !== undefined) ?? last;
  const end = whole.findIndex((record) => !isFailure(record) || (record.to !== undefined && record.to !== to));
  return { endedAt: Date.parse(last.time), failures: end === -1 ? whole.length : end };
}

function isFailure({ result }: Pick<RefreshRecord, 'result'>): boolean {
  return result === 'kept' || result === 'failed';
}
