import type { OutputListener } from '../run/launch-cell.ts';
import type { FileContent, RunBody, TextOrBytes } from '../serve/run-body.ts';

/** A program to be run by a service: what `/v1/run` takes, with bytes as bytes. */
export interface ClientRun extends Omit<RunBody, 'files' | 'stdin' | 'stream'> {
  /** By path in the program's working directory. */
  readonly files?: Readonly<Record<string, ClientFile>> | undefined;
  readonly stdin?: string | Uint8Array | undefined;
  /** Gets output as it comes; then the report has none. The program waits for what it returns. What it throws ends the run. */
  readonly onOutput?: OutputListener | undefined;
  /** Ends the run, unless it has an `idempotencyKey`: then only the waiting for it. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The service runs what has the same key once, and answers again with the same. So a request whose connection was lost is
   * sent again, too.
   */
  readonly idempotencyKey?: string | undefined;
  /** The caller's place in a trace. Source: W3C, Trace Context. */
  readonly traceparent?: string | undefined;
}

export type ClientFile =
  | string
  | Uint8Array
  | { readonly content: string | Uint8Array; readonly executable?: boolean | undefined };

/** What is sent. */
export function runBody(run: ClientRun): RunBody {
  const { files, stdin, onOutput, signal: _signal, idempotencyKey: _key, traceparent: _trace, ...same } = run;
  const sentFiles = files === undefined ? undefined : Object.entries(files).map(([path, file]) => [path, sent(file)]);
  return {
    ...same,
    ...(sentFiles === undefined ? {} : { files: Object.fromEntries(sentFiles) }),
    ...(stdin === undefined ? {} : { stdin: textOrBytes(stdin) }),
    ...(onOutput === undefined ? {} : { stream: true }),
  };
}

function sent(file: ClientFile): FileContent {
  if (typeof file === 'string' || file instanceof Uint8Array) return textOrBytes(file);
  const { content, executable } = file;
  const bytes = textOrBytes(content);
  return { ...(typeof bytes === 'string' ? { text: bytes } : bytes), executable };
}

function textOrBytes(content: string | Uint8Array): TextOrBytes {
  return typeof content === 'string' ? content : { base64: Buffer.from(content).toString('base64') };
}
