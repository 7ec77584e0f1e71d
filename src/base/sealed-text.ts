import { digestOf, hexOf } from './digest.ts';

/** A text behind its own digest, for files that may be damaged after a crash, and whose loss is no loss. */
export function sealed(text: string): string {
  return `${hexOf(digestOf(text))}${text}`;
}

/** What was sealed; undefined for anything else. */
export function unsealed(text: string): string | undefined {
  const body = text.slice(64);
  return text.length > 64 && text.slice(0, 64) === hexOf(digestOf(body)) ? body : undefined;
}
