import type { Architecture } from '../base/architecture.ts';
import { madeAt, readCurrent } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import type { Attempt } from './keep-refreshing.ts';

/** The last refresh of an image, as the store knows it: when its current generation was made. Undefined: there is none. */
export async function lastAttempt(
  store: Store,
  name: string,
  architecture: Architecture,
): Promise<Attempt | undefined> {
  const current = await readCurrent(store, name, architecture);
  return current === undefined ? undefined : { endedAt: Date.parse(await madeAt(store, current)), failures: 0 };
}
