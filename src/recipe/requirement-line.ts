import { byteOrder } from '../base/byte-order.ts';
import { valid } from '@renovatebot/pep440';
import { quotedWord } from './quoted-value.ts';
import { parseMarker } from './requirement-marker.ts';

/** Why a requirement is refused; `at` is an offset in its text. */
export interface RequirementFault {
  readonly fault: string;
  readonly hint: string;
  readonly at: number;
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/;
const NAME_HINT = 'write for example `requests>=2.31`';
const OPERATORS = ['===', '==', '~=', '!=', '<=', '>=', '<', '>'];

/** Brings one requirement (PEP 508, without a comment) into normal form, or says what is wrong with it. */
export function parseRequirement(text: string): string | RequirementFault {
  const refused = refuseOther(text);
  if (refused !== undefined) return refused;
  const reader: Reader = { text, at: skipSpace(text, 0) };
  const name = NAME.exec(text.slice(reader.at))?.[0];
  if (name === undefined)
    return { fault: `${quotedWord(text.trim())} is not a requirement`, hint: NAME_HINT, at: reader.at };
  reader.at = skipSpace(text, reader.at + name.length);
  const extras = readExtras(reader);
  if (!Array.isArray(extras)) return extras;
  const specifiers = readSpecifiers(reader);
  if (!Array.isArray(specifiers)) return specifiers;
  const marker = readMarker(reader);
  if (typeof marker === 'object') return marker;
  return `${normalName(name)}${extras.length > 0 ? `[${extras.join(',')}]` : ''}${specifiers.join(',')}${marker}`;
}

/** As PEP 503 says. */
export function normalName(name: string): string {
  return name.replaceAll(/[-_.]+/g, '-').toLowerCase();
}

interface Reader {
  readonly text: string;
  at: number;
}

/** Names what pip would read and this does not: options, addresses, paths, and characters that look like others. */
function refuseOther(text: string): RequirementFault | undefined {
  const at = skipSpace(text, 0);
  const line = text.slice(at);
  const foreign = /[^\t\u0020-\u007e]/u.exec(text);
  if (foreign !== null) {
    const code = (foreign[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return {
      fault: `${quotedWord(foreign[0])} (U+${code}) is not an ASCII character`,
      hint: 'type the name again: some letters only look alike',
      at: foreign.index,
    };
  }
  if (line.startsWith('-')) return refuseOption(line, at);
  if (/^[a-z+]+:\/\//i.test(line) || /^[^;#]*?@/.test(line) || line.startsWith('git+')) {
    return {
      fault: 'an address instead of a requirement is not supported',
      hint: 'name the package and its version, such as `requests==2.32.3`',
      at,
    };
  }
  if (
    /^[./~]/.test(line) ||
    /^[^;<>=!\s]*[/\\]/.test(line) ||
    /\.(?:whl|zip|tar\.\w+|tgz)\s*$/i.test(line.split(';')[0] ?? '')
  ) {
    return {
      fault: `the path ${quotedWord(line.trim())} is not supported`,
      hint: 'name the package and its version, such as `requests==2.32.3`',
      at,
    };
  }
  const option = / --?[a-z]/i.exec(text);
  return option === null ? undefined : refuseOption(text.slice(option.index + 1), option.index + 1);
}

const OPTION_HINTS: Readonly<Record<string, string>> = {
  '-r': 'copy the lines of that file into this one',
  '--requirement': 'copy the lines of that file into this one',
  '-c': 'copy the version limits of that file into this one',
  '--constraint': 'copy the version limits of that file into this one',
  '-e': 'build a wheel and put it on your package index',
  '--editable': 'build a wheel and put it on your package index',
  '-i': 'write `python.index_url` in the recipe',
  '--index-url': 'write `python.index_url` in the recipe',
  '--hash': 'remove it: the lockfile holds the digest of every file',
};

function refuseOption(line: string, at: number): RequirementFault {
  const option = /^--?[A-Za-z-]*/.exec(line)?.[0] ?? '-';
  const short = option.startsWith('--') ? option : option.slice(0, 2);
  const hint = Object.hasOwn(OPTION_HINTS, short) ? OPTION_HINTS[short] : undefined;
  return { fault: `the option ${quotedWord(short)} is not supported`, hint: hint ?? 'remove it', at };
}

function readExtras(reader: Reader): string[] | RequirementFault {
  const { text } = reader;
  if (text[reader.at] !== '[') return [];
  const end = text.indexOf(']', reader.at);
  if (end < 0)
    return { fault: 'the list of extras has no `]`', hint: 'write for example `uvicorn[standard]`', at: reader.at };
  const list = text.slice(reader.at + 1, end).trim();
  const extras = list === '' ? [] : list.split(',').map((extra) => extra.trim());
  const wrong = extras.find((extra) => NAME.exec(extra)?.[0] !== extra);
  if (wrong !== undefined) {
    return {
      fault: `${quotedWord(wrong)} is not the name of an extra`,
      hint: 'write for example `uvicorn[standard]`',
      at: reader.at,
    };
  }
  reader.at = skipSpace(text, end + 1);
  return [...new Set(extras.map(normalName))].toSorted(byteOrder);
}

function readSpecifiers(reader: Reader): string[] | RequirementFault {
  const { text } = reader;
  const semicolon = text.indexOf(';', reader.at);
  const end = semicolon < 0 ? text.length : semicolon;
  const list = withoutParentheses(text.slice(reader.at, end).trim());
  const specifiers: string[] = [];
  for (const part of list === '' ? [] : list.split(',')) {
    const specifier = parseSpecifier(part.trim(), reader.at);
    if (typeof specifier !== 'string') return specifier;
    specifiers.push(specifier);
  }
  reader.at = end;
  return [...new Set(specifiers)].toSorted(byteOrder);
}

function withoutParentheses(list: string): string {
  return list.startsWith('(') && list.endsWith(')') ? list.slice(1, -1).trim() : list;
}

function parseSpecifier(text: string, at: number): string | RequirementFault {
  const operator = OPERATORS.find((one) => text.startsWith(one));
  if (operator === undefined) {
    const hint = text.startsWith('=') ? 'write `==`' : 'write for example `>=2.31,<3`';
    return { fault: `${quotedWord(text)} is not a version limit`, hint, at };
  }
  const version = text.slice(operator.length).trim();
  if (isVersionFor(operator, version)) return `${operator}${version}`;
  return {
    fault: `${quotedWord(version)} is not a version that can follow \`${operator}\``,
    hint: 'write for example `>=2.31,<3`',
    at,
  };
}

/** PEP 440, "Version specifiers": prefixes end in `.*` and go with equality; `~=` needs two numbers; `===` takes any text. */
function isVersionFor(operator: string, version: string): boolean {
  if (version.length > 128) return false;
  if (operator === '===') return /^[^\s,;()]+$/.test(version);
  const equality = operator === '==' || operator === '!=';
  if (equality && version.endsWith('.*')) return /^v?(?:\d+!)?\d+(?:\.\d+)*$/i.test(version.slice(0, -2));
  if (valid(version) === null) return false;
  if (version.includes('+')) return equality;
  return operator !== '~=' || /^v?(?:\d+!)?\d+\.\d+/i.test(version);
}

function readMarker(reader: Reader): string | RequirementFault {
  if (reader.at >= reader.text.length) return '';
  const start = reader.at + 1;
  const parsed = parseMarker(reader.text.slice(start));
  if (typeof parsed === 'string') return `; ${parsed}`;
  return { ...parsed, at: start + parsed.at };
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}
