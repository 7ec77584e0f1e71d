import { dirname, join } from 'node:path/posix';
import type { HostDisk } from './host-disk.ts';

/** Where a path of this machine leads, and over which links. */
export interface HostWay {
  /** In the order in which they are followed; the folder of each is a real one. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly end: WayEnd;
}

/** `path` is where it really lies; no component of it is a link. */
export type WayEnd =
  | { readonly kind: 'file' | 'folder'; readonly path: string }
  | { readonly kind: 'special'; readonly path: string; readonly what: string }
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'circle' };

/** As many as the kernel follows. Source: path_resolution(7). */
const MOST_LINKS = 40;

/** Follows the absolute `path` as the kernel would, on `disk`. */
export function followHostPath(disk: HostDisk, path: string): HostWay {
  const links: { path: string; target: string }[] = [];
  const ahead = path.split('/').toReversed();
  let here = '/';
  let end: WayEnd = { kind: 'folder', path: here };
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue;
    if (end.kind !== 'folder') return { links, end: { kind: 'missing', path: join(here, name) } };
    const next = name === '..' ? dirname(here) : join(here, name);
    const thing = disk.look(next);
    if (thing === undefined) return { links, end: { kind: 'missing', path: next } };
    if (thing.kind === 'link') {
      links.push({ path: next, target: thing.target });
      if (links.length > MOST_LINKS) return { links, end: { kind: 'circle' } };
      if (thing.target.startsWith('/')) here = '/';
      ahead.push(...thing.target.split('/').toReversed());
      continue;
    }
    here = next;
    end =
      thing.kind === 'special' ? { kind: 'special', path: here, what: thing.what } : { kind: thing.kind, path: here };
  }
  return { links, end: end.kind === 'folder' ? { kind: 'folder', path: here } : end };
}
