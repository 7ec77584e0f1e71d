import picomatch from 'picomatch';
import type { ImagePath } from '../base/image-path.ts';
import { LONGEST_GLOB } from '../recipe/glob.ts';

const OPTIONS = {
  dot: true,
  nonegate: true,
  noextglob: true,
  regex: false,
  strictBrackets: true,
  maxLength: LONGEST_GLOB,
} as const;

/**
 * Whether a path is one that at least one of `globs` means; each has passed `globFault`. `**` stands for any number of
 * names, none included, and a leading dot is like any other character.
 */
export function globTest(globs: readonly string[]): (path: ImagePath) => boolean {
  if (globs.length === 0) return () => false;
  const sources = globs.map((glob) => picomatch.makeRe(glob.slice(1), OPTIONS).source);
  const expression = new RegExp(sources.join('|'));
  return (path) => expression.test(path);
}
