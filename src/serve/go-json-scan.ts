/** Where the first value of a JSON text ends, or why there is none, in the words of Go's decoder. */
export type JsonScan = { readonly end: number } | { readonly fault: string };

/**
 * Looks for one JSON value as Go's encoding/json Decoder does, which reads no further: what follows is nobody's. `bytes` has
 * one character for each byte.
 */
export function scanJson(bytes: string): JsonScan {
  const start = afterBlanks(bytes, 0);
  if (start === bytes.length) return { fault: 'EOF' };
  try {
    return { end: afterValue(bytes, start, 0) };
  } catch (error) {
    if (error instanceof ScanFault) return { fault: error.message };
    throw error;
  }
}

class ScanFault extends Error {}

/** Go's own limit. */
const DEEPEST = 10_000;

function afterValue(text: string, at: number, depth: number): number {
  const first = text[at];
  // Deeper than any request has a reason to be, and than this function may call itself.
  if (depth > DEEPEST / 10) throw new ScanFault('exceeded max depth');
  if (first === '{') return afterObject(text, at + 1, depth);
  if (first === '[') return afterArray(text, at + 1, depth);
  if (first === '"') return afterString(text, at + 1);
  if (first === 't') return afterLiteral(text, at, 'true');
  if (first === 'f') return afterLiteral(text, at, 'false');
  if (first === 'n') return afterLiteral(text, at, 'null');
  if (first !== undefined && /[-0-9]/.test(first)) return afterNumber(text, at);
  throw unexpected(text, at, 'looking for beginning of value');
}

function afterObject(text: string, start: number, depth: number): number {
  let at = afterBlanks(text, start);
  if (text[at] === '}') return at + 1;
  for (;;) {
    if (text[at] !== '"') throw unexpected(text, at, 'looking for beginning of object key string');
    at = afterBlanks(text, afterString(text, at + 1));
    if (text[at] !== ':') throw unexpected(text, at, 'after object key');
    at = afterBlanks(text, afterValue(text, afterBlanks(text, at + 1), depth + 1));
    if (text[at] === '}') return at + 1;
    if (text[at] !== ',') throw unexpected(text, at, 'after object key:value pair');
    at = afterBlanks(text, at + 1);
  }
}

function afterArray(text: string, start: number, depth: number): number {
  let at = afterBlanks(text, start);
  if (text[at] === ']') return at + 1;
  for (;;) {
    at = afterBlanks(text, afterValue(text, at, depth + 1));
    if (text[at] === ']') return at + 1;
    if (text[at] !== ',') throw unexpected(text, at, 'after array element');
    at = afterBlanks(text, at + 1);
  }
}

function afterString(text: string, start: number): number {
  let at = start;
  for (;;) {
    while (isPlain(text.charCodeAt(at))) at += 1;
    if (text[at] === '"') return at + 1;
    if (text[at] !== '\\') throw unexpected(text, at, 'in string literal');
    at = afterEscape(text, at + 1);
  }
}

/** Neither a control character, nor `"`, nor `\`; at the end of the text there is none. */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c;
}

function afterEscape(text: string, at: number): number {
  if (text[at] !== 'u') {
    if (!/["\\/bfnrt]/.test(text[at] ?? ' ')) throw unexpected(text, at, 'in string escape code');
    return at + 1;
  }
  for (let digit = at + 1; digit <= at + 4; digit += 1) {
    if (!/[0-9a-fA-F]/.test(text[digit] ?? ' ')) throw unexpected(text, digit, 'in \\u hexadecimal character escape');
  }
  return at + 5;
}

function afterLiteral(text: string, start: number, word: string): number {
  for (let index = 1; index < word.length; index += 1) {
    const expected = word[index] ?? '';
    if (text[start + index] !== expected) {
      throw unexpected(text, start + index, `in literal ${word} (expecting '${expected}')`);
    }
  }
  return start + word.length;
}

function afterNumber(text: string, start: number): number {
  let at = text[start] === '-' ? start + 1 : start;
  if (!isDigit(text[at])) throw unexpected(text, at, 'in numeric literal');
  at = text[at] === '0' ? at + 1 : afterDigits(text, at);
  if (text[at] === '.') {
    if (!isDigit(text[at + 1])) throw unexpected(text, at + 1, 'after decimal point in numeric literal');
    at = afterDigits(text, at + 1);
  }
  if (text[at] !== 'e' && text[at] !== 'E') return at;
  const exponent = text[at + 1] === '+' || text[at + 1] === '-' ? at + 2 : at + 1;
  if (!isDigit(text[exponent])) throw unexpected(text, exponent, 'in exponent of numeric literal');
  return afterDigits(text, exponent);
}

function afterDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text[at])) at += 1;
  return at;
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

function afterBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \t\r\n'.includes(text[at] ?? '')) at += 1;
  return at;
}

function unexpected(text: string, at: number, context: string): ScanFault {
  const character = text[at];
  if (character === undefined) return new ScanFault('unexpected EOF');
  return new ScanFault(`invalid character ${quoted(character)} ${context}`);
}

/** Source: encoding/json, quoteChar. */
function quoted(character: string): string {
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  const code = character.charCodeAt(0);
  const short = { '\u0007': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' };
  const known = Object.entries(short).find(([one]) => one === character)?.[1];
  if (known !== undefined) return `'${known}'`;
  if (character === '\\') return `'\\\\'`;
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, '0')}'`;
  return code >= 0x80 && code < 0xa1 ? `'\\u00${code.toString(16)}'` : `'${character}'`;
}
