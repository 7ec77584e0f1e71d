import type { Tree } from './assemble/tree.ts';
import type { Interpreter } from './resolve/resolution.ts';

/** Where systems have their Python, the likeliest first. */
const INTERPRETERS = ['usr/bin/python3', 'usr/local/bin/python3', 'bin/python3'];

/** That of an image that does not say where it is. Only the path is needed to run programs; nothing is known of the rest. */
export function knownInterpreter(tree: Tree): Interpreter | undefined {
  const path = INTERPRETERS.find((candidate) => tree.has(candidate));
  return path === undefined ? undefined : { version: '', path: `/${path}`, glibc: '', sitePath: '', prefix: '' };
}
