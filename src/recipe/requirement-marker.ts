import { closestWord } from '../base/closest-word.ts';
import { quotedWord } from './quoted-value.ts';

/** Why a marker is refused; `at` is an offset in its text. */
export interface MarkerFault {
  readonly fault: string;
  readonly hint: string;
  readonly at: number;
}

/** PEP 508, "Environment Markers", without `extra`, which has a meaning in the metadata of packages only. */
const VARIABLES = [
  'os_name',
  'sys_platform',
  'platform_machine',
  'platform_python_implementation',
  'platform_release',
  'platform_system',
  'platform_version',
  'python_version',
  'python_full_version',
  'implementation_name',
  'implementation_version',
];
const OPERATORS = new Set(['<', '<=', '==', '!=', '>=', '>', '~=', '===', 'in', 'not in']);
const TOKEN = /\s*(?:(not\s+in\b|[A-Za-z_.]+|===|[<>=!~]=|[<>]|[()])|"([^"]*)"|'([^']*)')/y;
const DEEPEST = 20;
const HINT = 'write for example `python_version < "3.14"`';

/** Brings an environment marker into normal form: single spaces, double quotes, as few parentheses as it was written with. */
export function parseMarker(text: string): string | MarkerFault {
  const tokens = readTokens(text);
  if (!Array.isArray(tokens)) return tokens;
  const reader: Reader = { tokens, next: 0, end: text.length };
  const marker = readOr(reader, 0);
  if (typeof marker !== 'string') return marker;
  const rest = tokens[reader.next];
  return rest === undefined
    ? marker
    : { fault: `${quotedWord(rest.text)} is too much in the marker`, hint: HINT, at: rest.at };
}

interface Token {
  readonly kind: 'word' | 'string';
  readonly text: string;
  readonly at: number;
}

interface Reader {
  readonly tokens: readonly Token[];
  next: number;
  readonly end: number;
}

function readTokens(text: string): Token[] | MarkerFault {
  const end = text.trimEnd().length;
  const tokens: Token[] = [];
  let at = 0;
  while (at < end) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      const rest = text.slice(at);
      const start = at + rest.length - rest.trimStart().length;
      return { fault: `the marker ${quotedWord(text.trim())} cannot be read`, hint: HINT, at: start };
    }
    const [whole, word, double, single] = match;
    const start = at + whole.length - whole.trimStart().length;
    tokens.push(
      word === undefined
        ? { kind: 'string', text: double ?? single ?? '', at: start }
        : { kind: 'word', text: word.replaceAll(/\s+/g, ' '), at: start },
    );
    at = TOKEN.lastIndex;
  }
  return tokens;
}

function readOr(reader: Reader, depth: number): string | MarkerFault {
  return readJoined(reader, 'or', () => readAnd(reader, depth));
}

function readAnd(reader: Reader, depth: number): string | MarkerFault {
  return readJoined(reader, 'and', () => readTerm(reader, depth));
}

function readJoined(reader: Reader, joint: string, readPart: () => string | MarkerFault): string | MarkerFault {
  let joined = readPart();
  while (typeof joined === 'string' && isWord(reader, joint)) {
    reader.next += 1;
    const part = readPart();
    joined = typeof part === 'string' ? `${joined} ${joint} ${part}` : part;
  }
  return joined;
}

function readTerm(reader: Reader, depth: number): string | MarkerFault {
  if (!isWord(reader, '(')) return readComparison(reader);
  if (depth >= DEEPEST) return missing(reader, 'fewer parentheses');
  reader.next += 1;
  const inner = readOr(reader, depth + 1);
  if (typeof inner !== 'string') return inner;
  if (!isWord(reader, ')')) return missing(reader, '`)`');
  reader.next += 1;
  return `(${inner})`;
}

function readComparison(reader: Reader): string | MarkerFault {
  const left = readOperand(reader);
  if (typeof left === 'object') return left;
  const operator = reader.tokens[reader.next];
  if (operator?.kind !== 'word' || !OPERATORS.has(operator.text)) return missing(reader, 'a comparison such as `<`');
  reader.next += 1;
  const right = readOperand(reader);
  if (typeof right === 'object') return right;
  return `${left} ${operator.text} ${right}`;
}

function readOperand(reader: Reader): string | MarkerFault {
  const token = reader.tokens[reader.next];
  if (token === undefined) return missing(reader, 'a variable or a quoted text');
  const quote = token.text.includes('"') ? "'" : '"';
  if (token.kind === 'word' && !VARIABLES.includes(token.text)) return unknownVariable(token);
  reader.next += 1;
  return token.kind === 'word' ? token.text : `${quote}${token.text}${quote}`;
}

function unknownVariable(token: Token): MarkerFault {
  const meant = token.text.length > 2 ? closestWord(token.text, VARIABLES) : undefined;
  const hint = meant === undefined ? HINT : `did you mean \`${meant}\`?`;
  return { fault: `${quotedWord(token.text)} is not a variable of markers`, hint, at: token.at };
}

function missing(reader: Reader, expected: string): MarkerFault {
  const token = reader.tokens[reader.next];
  const found = token === undefined ? 'its end' : quotedWord(token.text);
  return { fault: `the marker needs ${expected} before ${found}`, hint: HINT, at: token?.at ?? reader.end };
}

function isWord(reader: Reader, text: string): boolean {
  const token = reader.tokens[reader.next];
  return token?.kind === 'word' && token.text === text;
}
