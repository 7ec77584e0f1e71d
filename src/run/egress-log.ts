import type { RefusalReason } from './egress-rules.ts';
import type { RunEvent } from './run-report.ts';

/** Counts what a run asked its proxy for. Holds a bounded number of rows, whatever is asked. */
export interface EgressLog {
  refused(target: EgressTarget, reason: RefusalReason): void;
  contacted(target: EgressTarget): void;
  /** Rows in the order in which each came first. */
  events(): readonly RunEvent[];
}

export interface EgressTarget {
  /** The guest's own words: cut and made harmless before they are kept. */
  readonly host: string;
  /** 0: there is none. */
  readonly port: number;
}

const MOST_ROWS = 64;
const LONGEST_HOST = 128;

type Row = Extract<RunEvent, { readonly kind: 'network_refused' | 'network_contacted' }>;

export function egressLog(): EgressLog {
  const rows = new Map<string, Row>();
  let lost = 0;
  const count = (row: Row): void => {
    const key = JSON.stringify({ ...row, count: 0 });
    const known = rows.get(key);
    if (known === undefined && rows.size === MOST_ROWS) lost += 1;
    else rows.set(key, { ...row, count: (known?.count ?? 0) + 1 });
  };
  return {
    refused: ({ host, port }, reason) =>
      count({ kind: 'network_refused', host: harmless(host), port, reason, count: 1 }),
    contacted: ({ host, port }) => count({ kind: 'network_contacted', host: harmless(host), port, count: 1 }),
    events: () => [...rows.values(), ...(lost === 0 ? [] : [{ kind: 'network_uncounted', count: lost } as const])],
  };
}

/** Only what stands in host names and addresses. */
function harmless(host: string): string {
  const text = host.slice(0, LONGEST_HOST).replaceAll(/[^A-Za-z0-9._:[\]*-]/g, '?');
  return host.length > LONGEST_HOST ? `${text}…` : text;
}
