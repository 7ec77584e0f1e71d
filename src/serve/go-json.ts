import { isUtf8 } from 'node:buffer';

/** JSON as Go's encoding/json writes it: members in their order, without blanks. Bytes are text that may not be UTF-8. */
export type GoValue = null | boolean | number | string | Uint8Array | readonly GoValue[] | GoObject;

export interface GoObject {
  readonly [key: string]: GoValue;
}

/** Source: encoding/json, Marshal, with its escaping for HTML. Invalid bytes become `\ufffd`, one each. */
export function goJson(value: GoValue): string {
  if (typeof value === 'string') return goString(value);
  if (value instanceof Uint8Array) return goString(value);
  if (isList(value)) return `[${value.map(goJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, member]) => `${goString(key)}:${goJson(member)}`)
    .join(',')}}`;
}

function isList(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value);
}

function goString(text: string | Uint8Array): string {
  const plain = typeof text === 'string' ? text : decoded(text);
  if (plain !== undefined) return escaped(plain);
  return `"${[...validRuns(Buffer.from(text))].join('\\ufffd')}"`;
}

function escaped(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Undefined where it is not UTF-8. */
function decoded(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8') : undefined;
}

/** Escaped, without quotes; between any two of them is one byte that begins no character. */
function* validRuns(bytes: Buffer): Generator<string> {
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = characterLength(bytes, at);
    if (length === 0) {
      yield escaped(bytes.toString('utf8', start, at)).slice(1, -1);
      start = at + 1;
    }
    at += Math.max(1, length);
  }
  yield escaped(bytes.toString('utf8', start)).slice(1, -1);
}

/** Of the character that begins there; 0: none does. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return decoded(bytes.subarray(at, at + length)) === undefined || at + length > bytes.length ? 0 : length;
}
