import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';

const LONGEST_NAME = 255;
const LONGEST_PATH = 4095;

/**
 * The names on the way from the cell's /tmp to `path`, which is relative to it or absolute beneath it; none for /tmp itself.
 * Throws E_USAGE for a path that leads elsewhere or that no file can have; `what` begins the message.
 */
export function tmpNames(what: string, path: string): readonly string[] {
  const refuse = (fault: string): never => {
    throw new RootcellarError('E_USAGE', `${what}: ${quotedWord(path)} ${fault}`, {
      hint: 'use a path below the working directory of the program, such as `data/input.csv`',
    });
  };
  if (path === '') return refuse('is no path');
  if (path.includes('\0')) return refuse('has a NUL character in it');
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) return refuse('leads up by `..`');
  const below = path.startsWith('/') ? names.slice(1) : names;
  if (path.startsWith('/') && names[0] !== 'tmp') return refuse('is not below /tmp');
  const lengths = below.map((name) => Buffer.byteLength(name));
  const total = lengths.reduce((sum, length) => sum + length + 1, 0);
  if (total > LONGEST_PATH || lengths.some((length) => length > LONGEST_NAME)) return refuse('is too long');
  return below;
}

/** How a plan writes what `tmpNames` gave. */
export function tmpPathText(names: readonly string[]): string {
  return names.length === 0 ? '.' : names.join('/');
}
