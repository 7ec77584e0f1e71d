import type { RunReport } from '../run/run-report.ts';
import type { RunLanguage } from './service-watch.ts';

/** What is sent to `/v1/run`. */
export interface RunBody {
  /** Left out: by the ending of `main`, else Python. */
  readonly language?: RunLanguage | undefined;
  /** Program text; else `main` says which of `files` is the program. */
  readonly code?: string | undefined;
  /** A path of `files`. What lies beside it can be imported. */
  readonly main?: string | undefined;
  /** By path in the program's working directory. */
  readonly files?: Readonly<Record<string, FileContent>> | undefined;
  readonly stdin?: TextOrBytes | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** As in recipes, such as `{ "wall": "2s", "memory": "256MiB" }`. */
  readonly limits?: RunLimits | undefined;
  readonly network?: 'none' | 'host' | { readonly proxy: { readonly allow: readonly string[] } } | undefined;
  /** Files and folders of the working directory to return. */
  readonly outputs?: readonly string[] | undefined;
  /** Server-sent events instead of one answer. */
  readonly stream?: boolean | undefined;
  /** Name or digest of the image; another one than is served is refused. */
  readonly image?: string | undefined;
}

export type TextOrBytes = string | { readonly base64: string };

export type FileContent =
  | string
  | { readonly text: string; readonly executable?: boolean | undefined }
  | { readonly base64: string; readonly executable?: boolean | undefined };

export interface RunLimits {
  readonly memory?: string | undefined;
  readonly processes?: number | undefined;
  readonly cpu?: string | undefined;
  readonly wall?: string | undefined;
  readonly output?: string | undefined;
  readonly tmp?: string | undefined;
  readonly open_files?: number | undefined;
}

/** What `/v1/run` answers. Keys are snake_case because the answer is a format. */
export interface RunAnswer {
  readonly report: RunReport;
  /** Milliseconds that the request has waited before its program was started. */
  readonly queue_ms: number;
  /** Present only when `outputs` were asked for: the bytes of each file that `report.files` has without an error. */
  readonly files?: readonly ReturnedFile[];
}

export interface ReturnedFile {
  /** In the working directory. */
  readonly path: string;
  readonly base64: string;
}

/** Each event of a stream, by its name. `report` is the last of a run; `problem` in its place where nothing was run. */
export interface StreamEvents {
  readonly stdout: StreamedOutput;
  readonly stderr: StreamedOutput;
  readonly report: RunAnswer;
  readonly problem: ProblemBody;
}

/** Text where it is UTF-8; characters are not split. */
export type StreamedOutput = { readonly text: string } | { readonly base64: string };

/** An error's body. Source: RFC 9457. */
export interface ProblemBody {
  readonly type: 'about:blank';
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  readonly detail: string;
  /** One of our error codes, such as `E_BUSY`. */
  readonly code: string;
  readonly hint?: string;
  /** All faults of a request that has several. */
  readonly errors?: readonly ProblemItem[];
}

export interface ProblemItem {
  readonly detail: string;
  readonly hint?: string;
}
