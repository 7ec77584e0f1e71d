import type { Json } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';

/* Checks of parsed JSON that this program wrote itself: each gives the value in its type or throws a plain Error. */

export function textFrom(value: unknown): string {
  if (typeof value !== 'string') throw new Error('a text is missing');
  return value;
}

/** A whole number that is not negative. */
export function numberFrom(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Error('a number is missing');
  return value;
}

export function listFrom(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('a list is missing');
  return value;
}

export function textsFrom(value: unknown): readonly string[] {
  return listFrom(value).map(textFrom);
}

export function recordFrom(value: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw new Error('an object is missing');
  return value;
}

/** Makes the type of parsed JSON known, by taking it apart. */
export function jsonFrom(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value;
  if (Array.isArray(value)) return value.map(jsonFrom);
  return Object.fromEntries(Object.entries(recordFrom(value)).map(([key, member]) => [key, jsonFrom(member)]));
}

/** A digest of its 64 hex digits. Their number alone is checked: ten thousand of these are read at once. */
export function digestFromText(value: unknown): Digest {
  const hex = textFrom(value);
  if (hex.length !== 64) throw new Error('a digest is malformed');
  return `sha256:${hex}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
