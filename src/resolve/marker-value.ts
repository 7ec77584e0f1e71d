import { satisfies, valid } from '@renovatebot/pep440';
import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import type { PythonTarget } from './python-tags.ts';

const TOKEN = /\s*(not in\b|[A-Za-z_.]+|===|[<>=!~]=|[<>]|[()]|"[^"]*"|'[^']*')/y;

/**
 * Whether a marker in normal form holds on the target: CPython on Linux. Only `extra` is never true.
 * Source: PEP 508, "Environment Markers".
 */
export function markerHolds(marker: string, target: PythonTarget): boolean {
  const words: string[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < marker.length;) {
    const match = TOKEN.exec(marker);
    if (match?.[1] === undefined) throw new Error(`unreachable: a marker that was checked: ${marker}`);
    words.push(match[1]);
  }
  return readOr({ words, next: 0, variables: variablesOf(target) });
}

interface Reader {
  readonly words: readonly string[];
  next: number;
  readonly variables: ReadonlyMap<string, string>;
}

function readOr(reader: Reader): boolean {
  let value = readAnd(reader);
  while (reader.words[reader.next] === 'or') {
    reader.next += 1;
    const right = readAnd(reader);
    value ||= right;
  }
  return value;
}

function readAnd(reader: Reader): boolean {
  let value = readTerm(reader);
  while (reader.words[reader.next] === 'and') {
    reader.next += 1;
    const right = readTerm(reader);
    value &&= right;
  }
  return value;
}

function readTerm(reader: Reader): boolean {
  if (reader.words[reader.next] !== '(') return readComparison(reader);
  reader.next += 1;
  const value = readOr(reader);
  reader.next += 1;
  return value;
}

function readComparison(reader: Reader): boolean {
  const [left = '', operator = '', right = ''] = reader.words.slice(reader.next, reader.next + 3);
  reader.next += 3;
  return compare(valueOf(left, reader), operator, valueOf(right, reader));
}

function valueOf(word: string, { variables }: Reader): string {
  return /^["']/.test(word) ? word.slice(1, -1) : (variables.get(word) ?? '');
}

function compare(left: string, operator: string, right: string): boolean {
  if (operator === 'in') return right.includes(left);
  if (operator === 'not in') return !right.includes(left);
  const specifier = `${operator}${right}`;
  if (valid(left) !== null && valid(right.replace(/\.\*$/, '')) !== null) {
    return satisfies(left, specifier, { prereleases: true });
  }
  if (operator === '==' || operator === '===') return left === right;
  if (operator === '!=') return left !== right;
  const order = left < right ? -1 : left > right ? 1 : 0;
  return operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
}

function variablesOf({ architecture, pythonVersion }: PythonTarget): ReadonlyMap<string, string> {
  return new Map([
    ['os_name', 'posix'],
    ['sys_platform', 'linux'],
    ['platform_machine', ARCHITECTURE_FACTS[architecture].machine],
    ['platform_python_implementation', 'CPython'],
    ['platform_system', 'Linux'],
    ['python_version', pythonVersion.split('.').slice(0, 2).join('.')],
    ['python_full_version', pythonVersion],
    ['implementation_name', 'cpython'],
    ['implementation_version', pythonVersion],
  ]);
}
