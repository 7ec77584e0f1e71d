import type { Json } from '../base/canonical-json.ts';

export type JsonReading = { readonly value: Json } | JsonFault;

/** Why a text is not JSON; `at` is an offset in it. */
export interface JsonFault {
  readonly fault: string;
  readonly at: number;
}

const DEEPEST = 32;
const SPACE = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * Reads JSON (RFC 8259) as `JSON.parse` does, but says where it is wrong, refuses a key that is there twice, of which
 * `JSON.parse` would silently take the last, and nests at most 32 levels.
 */
export function parseJson(text: string): JsonReading {
  const reader: Reader = { text, at: 0 };
  const read = readValue(reader, 0);
  if ('fault' in read) return read;
  skipSpace(reader);
  return reader.at === text.length ? read : { fault: 'something follows the end', at: reader.at };
}

interface Reader {
  readonly text: string;
  at: number;
}

function readValue(reader: Reader, depth: number): JsonReading {
  skipSpace(reader);
  if (depth > DEEPEST) return { fault: 'values are nested too deep', at: reader.at };
  const first = reader.text[reader.at];
  if (first === '{') return readObject(reader, depth);
  if (first === '[') return readArray(reader, depth);
  if (first === '"') return readString(reader);
  const { at } = reader;
  const token = match(reader, SCALAR);
  if (token === undefined) return { fault: first === undefined ? 'the text ends too early' : 'not a JSON value', at };
  const value = scalarOf(token);
  return typeof value !== 'number' || Number.isFinite(value) ? { value } : { fault: 'a number is too large', at };
}

/** Finds the closing quote by hand: a regular expression would need stack for each character of a long string. */
function readString(reader: Reader): { readonly value: string } | JsonFault {
  const { text, at } = reader;
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  if (end >= text.length) return { fault: 'a string has no closing quote', at };
  try {
    const value: unknown = JSON.parse(text.slice(at, end + 1));
    reader.at = end + 1;
    return { value: String(value) };
  } catch (error) {
    if (error instanceof SyntaxError) return { fault: 'a string holds a control character or an unknown escape', at };
    throw error;
  }
}

function readArray(reader: Reader, depth: number): JsonReading {
  const elements: Json[] = [];
  reader.at += 1;
  if (skipTo(reader, ']')) return { value: elements };
  for (;;) {
    const element = readValue(reader, depth + 1);
    if ('fault' in element) return element;
    elements.push(element.value);
    if (skipTo(reader, ']')) return { value: elements };
    if (!skipTo(reader, ',')) return { fault: 'expected `,` or `]`', at: reader.at };
  }
}

function readObject(reader: Reader, depth: number): JsonReading {
  const members = new Map<string, Json>();
  reader.at += 1;
  if (skipTo(reader, '}')) return { value: {} };
  for (;;) {
    const fault = readMember(reader, members, depth);
    if (fault !== undefined) return fault;
    if (skipTo(reader, '}')) return { value: Object.fromEntries(members) };
    if (!skipTo(reader, ',')) return { fault: 'expected `,` or `}`', at: reader.at };
  }
}

function readMember(reader: Reader, members: Map<string, Json>, depth: number): JsonFault | undefined {
  skipSpace(reader);
  const { at } = reader;
  if (reader.text[at] !== '"') return { fault: 'expected a key in double quotes', at };
  const read = readString(reader);
  if ('fault' in read) return read;
  const key = read.value;
  if (members.has(key)) return { fault: 'a key is there twice', at };
  if (!skipTo(reader, ':')) return { fault: 'expected `:`', at: reader.at };
  const member = readValue(reader, depth + 1);
  if ('fault' in member) return member;
  members.set(key, member.value);
  return undefined;
}

function scalarOf(token: string): boolean | number | null {
  if (token === 'null') return null;
  return token === 'true' || token === 'false' ? token === 'true' : Number(token);
}

/** Whether the next character after white space is `wanted`; goes beyond it then. */
function skipTo(reader: Reader, wanted: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== wanted) return false;
  reader.at += 1;
  return true;
}

function skipSpace(reader: Reader): void {
  match(reader, SPACE);
}

function match(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  if (found !== undefined) reader.at += found.length;
  return found;
}
