/** What a server's answer means for a download, before its body is read. */
export type AnswerMeaning =
  /** The body has the file's bytes from `start` on. `length`: bytes of the whole file, where the server says it. */
  | { readonly kind: 'bytes'; readonly start: number; readonly length: number | undefined }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'gone'; readonly detail: string }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'busy'; readonly detail: string; readonly retryAfterMs: number | undefined }
  /** The server does not give the asked range: ask for the whole file. */
  | { readonly kind: 'no-range' };

/** Status and headers of an answer; names of headers are in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const BUSY: ReadonlySet<number> = new Set([408, 425, 429]);

/** `offset`: where the asked range begins; 0 where the whole file was asked for. Source: RFC 9110. */
export function readAnswer(head: AnswerHead, offset: number): AnswerMeaning {
  const { status } = head;
  const detail = `the server answered ${status}`;
  if (status === 200) return { kind: 'bytes', start: 0, length: parseLength(headerOf(head, 'content-length')) };
  if (status === 206) return readPartial(head, offset);
  if (status === 416) return offset > 0 ? { kind: 'no-range' } : { kind: 'refused', detail };
  if (REDIRECTS.has(status)) {
    const location = headerOf(head, 'location');
    return location === undefined ? { kind: 'refused', detail } : { kind: 'redirect', location };
  }
  if (status === 404 || status === 410) return { kind: 'gone', detail };
  if (status < 500 && !BUSY.has(status)) return { kind: 'refused', detail };
  return { kind: 'busy', detail, retryAfterMs: parseRetryAfter(headerOf(head, 'retry-after')) };
}

function readPartial(head: AnswerHead, offset: number): AnswerMeaning {
  const [, start, length] =
    /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(headerOf(head, 'content-range') ?? '') ?? [];
  if (Number(start) !== offset) {
    return offset > 0
      ? { kind: 'no-range' }
      : { kind: 'refused', detail: 'the server answered with an unwanted range' };
  }
  return { kind: 'bytes', start: offset, length: parseLength(length) };
}

/** What a later request can send as `If-Range`: a strong ETag, else the date of the last change. */
export function validatorOf(head: AnswerHead): string | undefined {
  const etag = headerOf(head, 'etag');
  return etag?.startsWith('"') === true ? etag : headerOf(head, 'last-modified');
}

export function headerOf({ headers }: AnswerHead, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'object' ? value[0] : value;
}

function parseLength(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Only the form in seconds: a date would need the clock, and the servers that throttle send seconds. */
function parseRetryAfter(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}
