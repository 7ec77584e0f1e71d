import { byteOrder } from '../base/byte-order.ts';
import { quotedWord } from './quoted-value.ts';
import { parseMarker } from './requirement-marker.ts';

/** Why a requirement is refused; `at` is an offset in its text. */
export interface RequirementFault {
  readonly fault: string;
  readonly hint: string;
  readonly at: number;
}

export const NAME: RegExp = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/;
export const NAME_HINT = 'write for example `requests>=2.31`';
export const EXTRAS_HINT = 'write for example `uvicorn[standard]`';

/** As PEP 503 says. */
export function normalName(name: string): string {
  return name.replaceAll(/[-_.]+/g, '-').toLowerCase();
}

/** The text between `[` and `]`, which begins at `at`. */
export function parseExtras(text: string, at: number): string[] | RequirementFault {
  const list = text.trim();
  const extras = list === '' ? [] : list.split(',').map((extra) => extra.trim());
  const wrong = extras.find((extra) => NAME.exec(extra)?.[0] !== extra);
  if (wrong !== undefined) return { fault: `${quotedWord(wrong)} is not the name of an extra`, hint: EXTRAS_HINT, at };
  return [...new Set(extras.map(normalName))].toSorted(byteOrder);
}

/** The marker after the `;` at `at`; undefined at the end of the text. */
export function readMarker(text: string, at: number): string | undefined | RequirementFault {
  if (at >= text.length) return undefined;
  const start = at + 1;
  const parsed = parseMarker(text.slice(start));
  return typeof parsed === 'string' ? parsed : { ...parsed, at: start + parsed.at };
}

export function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}
