import { byteOrder } from './byte-order.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * The one text of a value: keys in byte order, undefined members left out, no white space.
 * Throws on a number that JSON cannot hold.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`unreachable: ${value} in JSON`);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = definedMembers(value).map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/**
 * Canonical JSON for reading in a diff: two spaces of indent, but an array's element and whatever stands deeper than
 * `depth` levels takes one line. Ends with a line feed.
 */
export function readableJson(value: Json, depth: number): string {
  return `${indented(value, depth, '')}\n`;
}

function indented(value: Json, depth: number, indent: string): string {
  if (depth === 0 || value === null || typeof value !== 'object') return spaced(value);
  const inner = `${indent}  `;
  if (isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((element) => inner + spaced(element)).join(',\n')}\n${indent}]`;
  }
  const members = definedMembers(value);
  if (members.length === 0) return '{}';
  const lines = members.map(([key, member]) => `${inner}${JSON.stringify(key)}: ${indented(member, depth - 1, inner)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

function spaced(value: Json): string {
  if (value === null || typeof value !== 'object') return canonicalJson(value);
  if (isArray(value)) return value.length === 0 ? '[]' : `[${value.map(spaced).join(', ')}]`;
  const members = definedMembers(value);
  if (members.length === 0) return '{}';
  return `{ ${members.map(([key, member]) => `${JSON.stringify(key)}: ${spaced(member)}`).join(', ')} }`;
}

function definedMembers(value: { readonly [key: string]: Json | undefined }): [string, Json][] {
  return Object.entries(value)
    .flatMap(([key, member]): [string, Json][] => (member === undefined ? [] : [[key, member]]))
    .toSorted(([a], [b]) => byteOrder(a, b));
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
