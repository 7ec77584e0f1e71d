import { byteOrder } from '../base/byte-order.ts';
import { UNWATCHED, type EndedRefresh, type ServiceWatch } from './service-watch.ts';

/** What is known of the refreshes of one image. */
export interface RefreshState {
  /** Its name. */
  readonly image: string;
  /** Undefined: none since the service began. */
  readonly last: EndedRefresh | undefined;
  /** Milliseconds since 1970; undefined: by no schedule. */
  readonly dueAt: number | undefined;
}

export interface RefreshMemory {
  readonly watch: ServiceWatch;
  /** In byte order of name. */
  readonly states: () => readonly RefreshState[];
}

/** Remembers the last refresh of each image, and when the next one is due. */
export function refreshMemory(): RefreshMemory {
  const states = new Map<string, RefreshState>();
  const stateOf = (image: string): RefreshState => states.get(image) ?? { image, last: undefined, dueAt: undefined };
  return {
    watch: {
      ...UNWATCHED,
      refreshEnded: (last) => void states.set(last.image, { ...stateOf(last.image), last }),
      refreshPlanned: ({ image, dueAt }) => void states.set(image, { ...stateOf(image), dueAt }),
    },
    states: () => [...states.values()].toSorted((a, b) => byteOrder(a.image, b.image)),
  };
}
