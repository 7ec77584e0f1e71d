import { byteOrder } from '../base/byte-order.ts';
import { valid } from '@renovatebot/pep440';
import { quotedWord } from './quoted-value.ts';
import { parseDirect } from './requirement-address.ts';
import { EXTRAS_HINT, NAME, NAME_HINT, normalName, parseExtras, readMarker, skipSpace } from './requirement-parts.ts';
import type { RequirementFault } from './requirement-parts.ts';
import type { Requirement } from './requirement.ts';

/** More than any one needs; hashes are not counted. */
const LONGEST_REQUIREMENT = 4096;
const OPERATORS = ['===', '==', '~=', '!=', '<=', '>=', '<', '>'];

/** Reads one requirement (PEP 508, without comment and options), or says what is wrong with it. */
export function parseRequirement(text: string): Requirement | RequirementFault {
  const foreign = foreignCharacter(text);
  if (foreign !== undefined) return foreign;
  const at = skipSpace(text, 0);
  if (text.length - at > LONGEST_REQUIREMENT) {
    return { fault: `a requirement of more than ${LONGEST_REQUIREMENT} characters`, hint: NAME_HINT, at };
  }
  const direct = parseDirect(text);
  if (direct !== undefined) return direct;
  const reader: Reader = { text, at };
  const name = NAME.exec(text.slice(reader.at))?.[0];
  if (name === undefined)
    return { fault: `${quotedWord(text.trim())} is not a requirement`, hint: NAME_HINT, at: reader.at };
  reader.at = skipSpace(text, reader.at + name.length);
  const extras = readExtras(reader);
  if (!Array.isArray(extras)) return extras;
  const specifiers = readSpecifiers(reader);
  if (!Array.isArray(specifiers)) return specifiers;
  const marker = readMarker(text, reader.at);
  if (typeof marker === 'object') return marker;
  return { kind: 'named', name: normalName(name), extras, specifiers, marker };
}

interface Reader {
  readonly text: string;
  at: number;
}

function foreignCharacter(text: string): RequirementFault | undefined {
  const foreign = /[^\t\u0020-\u007e]/u.exec(text);
  if (foreign === null) return undefined;
  const code = (foreign[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return {
    fault: `${quotedWord(foreign[0])} (U+${code}) is not an ASCII character`,
    hint: 'type the name again: some letters only look alike',
    at: foreign.index,
  };
}

function readExtras(reader: Reader): string[] | RequirementFault {
  const { text } = reader;
  if (text[reader.at] !== '[') return [];
  const end = text.indexOf(']', reader.at);
  if (end < 0) return { fault: 'the list of extras has no `]`', hint: EXTRAS_HINT, at: reader.at };
  const extras = parseExtras(text.slice(reader.at + 1, end), reader.at);
  reader.at = skipSpace(text, end + 1);
  return extras;
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
