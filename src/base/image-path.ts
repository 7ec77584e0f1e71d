/**
 * A path inside an image: relative to its root, components joined by single slashes, no `.` or `..`, no NUL.
 * The root itself is the empty string.
 */
export type ImagePath = string;

const LONGEST_NAME = 255;
const LONGEST_PATH = 4095;
/** What no short path may have that is already as it should be: beyond ASCII, NUL, or a component that is empty, `.` or `..`. */
// oxlint-disable-next-line no-control-regex -- NUL is what it looks for
const UNUSUAL = /[^\x01-\x7f]|(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * Reads a path as archives and recipes write it (`/etc/x`, `./etc/x`, `etc/x/`).
 * Undefined when it has a `..` component, a NUL, a component over 255 or a whole over 4095 bytes.
 */
export function parseImagePath(text: string): ImagePath | undefined {
  if (text.length <= LONGEST_NAME && !UNUSUAL.test(text)) return text;
  if (text.includes('\0') || Buffer.byteLength(text) > LONGEST_PATH) return undefined;
  const names = text.split('/').filter((name) => name !== '' && name !== '.');
  if (names.some((name) => name === '..' || Buffer.byteLength(name) > LONGEST_NAME)) return undefined;
  return names.join('/');
}

/** The path of the folder that holds `path`; the root for a top-level path. */
export function parentOf(path: ImagePath): ImagePath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function nameOf(path: ImagePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * Where a link at `path` points, as a path in the image, `..` clamped at the root as the kernel does it.
 * Purely textual: links on the way are not followed.
 */
export function linkTarget(path: ImagePath, target: string): ImagePath {
  const names = target.startsWith('/') ? [] : parentOf(path).split('/').filter(Boolean);
  for (const name of target.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names.join('/');
}
