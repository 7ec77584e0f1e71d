import { LogController, type FastifyBaseLogger, type FastifyRequest } from 'fastify';
import { pino } from 'pino';
import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';

export interface LogDestination {
  /** Gets one JSON object a line. */
  readonly stream: { readonly write: (line: string) => void };
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * A log of JSON lines, for what the service does and for fastify. The HTTP layer's own lines pass only without what a client wrote: fastify puts
 * addresses into texts, parsers put bits of bodies into errors, and both can be somebody's code or key.
 */
export function serviceLog({ stream, now }: LogDestination): FastifyBaseLogger {
  return pino(
    {
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => errorFields(error) },
      hooks: {
        logMethod(words, method) {
          const [first, text]: readonly unknown[] = words;
          if (isObject(first) && 'event' in first) return method.apply(this, words);
          const line = foreignLine(first, text);
          return method.apply(this, [line.fields, line.text]);
        },
      },
    },
    stream,
  );
}

/** For fastify: requests have lines of their own, by what became of them; its lines are left out unless they tell of an error. */
export function quietController(): LogController {
  return Object.assign(new LogController({ requestIdLogLabel: 'request_id' }), {
    incomingRequest: () => undefined,
    routeNotFound: () => undefined,
    requestCompleted: (error: Error | null | undefined, request: FastifyRequest) => {
      if (error instanceof Error) request.log.error({ err: error }, 'request errored');
    },
  });
}

/** What is left of a line that is not ours. */
function foreignLine(first: unknown, text: unknown): { readonly fields: object; readonly text: string } {
  const error = isObject(first) && 'err' in first ? first.err : first;
  const fields = error instanceof Error ? { event: 'http', err: error } : { event: 'http' };
  const words = typeof first === 'string' ? first : text;
  const isOfError = error instanceof Error && words === error.message;
  const isFit = typeof words === 'string' && !isOfError && isHarmless(words);
  return { fields, text: isFit ? words : 'from the HTTP layer' };
}

/** Texts that fastify has as they are; addresses and quoted words have other characters. */
function isHarmless(text: string): boolean {
  return /^[A-Za-z ]+$/.test(text) || text.startsWith('Server listening at ');
}

/** Faults of the machine, whose messages quote nothing of a request. */
const MACHINE_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'E_SANDBOX',
  'E_DISK_FULL',
  'E_STORE_INVALID',
  'E_STORE_NEWER',
  'E_ROOTFS_UNSAFE',
]);

/** How deep causes are followed. */
const DEEPEST_CAUSE = 4;

interface ErrorFields {
  readonly type: string;
  readonly code?: string;
  /** Left out where it could quote a request. */
  readonly message?: string;
  /** Places in our code and in libraries. */
  readonly stack: string;
  readonly cause?: ErrorFields;
}

function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, stack: '' };
  const isOfMachine = error instanceof RootcellarError && MACHINE_FAULTS.has(error.code);
  const isFollowed = error.cause !== undefined && depth < DEEPEST_CAUSE;
  return {
    type: error.name,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(isOfMachine ? { message: error.message } : {}),
    stack: frames(error),
    ...(isFollowed ? { cause: errorFields(error.cause, depth + 1) } : {}),
  };
}

/** The places of the stack, without the message that stands before them. */
function frames({ stack = '', message }: Error): string {
  const start = stack.indexOf(message);
  const places = start === -1 ? '' : stack.slice(start + message.length);
  return places
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
