import { randomBytes } from 'node:crypto';

/** The trace that a request belongs to. Source: W3C, Trace Context, "Traceparent Header". */
export interface TraceContext {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 digits: of what this service does for the request. */
  readonly spanId: string;
  /** 16 digits: of who asked; undefined where the trace begins here. */
  readonly parentId: string | undefined;
  /** Whether whoever began the trace records it. */
  readonly isSampled: boolean;
}

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The trace that the header `traceparent` names; a new one where there is none or it is malformed. */
export function traceContext(header: string | undefined): TraceContext {
  const spanId = randomBytes(8).toString('hex');
  const [, version, traceId, parentId, flags = '', more] = TRACEPARENT.exec(header ?? '') ?? [];
  // Only versions to come may have more fields.
  const isKnown = traceId !== undefined && (version !== '00' || more === undefined);
  if (!isKnown) return { traceId: randomBytes(16).toString('hex'), spanId, parentId: undefined, isSampled: false };
  return { traceId, spanId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
