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
  /** Whether whoever began it made its id at random. */
  readonly isRandom: boolean;
}

const SAMPLED = 1;
const RANDOM = 2;

const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The trace that the header `traceparent` names; a new one where there is none or it is malformed. */
export function traceContext(header: string | undefined): TraceContext {
  const spanId = randomBytes(8).toString('hex');
  const [, version, traceId, parentId, flags = '', more] = TRACEPARENT.exec(header ?? '') ?? [];
  // Only versions to come may have more fields.
  const isKnown = traceId !== undefined && (version !== '00' || more === undefined);
  if (!isKnown) {
    const ownId = randomBytes(16).toString('hex');
    return { traceId: ownId, spanId, parentId: undefined, isSampled: false, isRandom: true };
  }
  const bits = Number.parseInt(flags, 16);
  return { traceId, spanId, parentId, isSampled: (bits & SAMPLED) !== 0, isRandom: (bits & RANDOM) !== 0 };
}

/** For the header `traceresponse`: under which ids this service's log has the request. Source: W3C, Trace Context, "Restarted Trace". */
export function traceResponse({ traceId, spanId, isSampled, isRandom }: TraceContext): string {
  const flags = (isSampled ? SAMPLED : 0) | (isRandom ? RANDOM : 0);
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;
}
