import type { SourceEntry, SourceTree } from '../assemble/source-tree.ts';
import { BLOCK, LARGEST_HEADER, writeHeader } from './tar-header.ts';

/** The one tar of a source: entries in byte order, the source's own time for all, modes of two kinds, no owners. */
export function packSource({ entries, time }: SourceTree): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [path, entry] of entries) {
    const header = Buffer.alloc(LARGEST_HEADER);
    const facts = { uid: 0, gid: 0, mtime: time, ...memberOf(path, entry) };
    parts.push(header.subarray(0, writeHeader(header, 0, facts)));
    if (entry.kind !== 'file') continue;
    parts.push(entry.content, Buffer.alloc((BLOCK - (entry.content.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function memberOf(path: string, entry: SourceEntry): Omit<Parameters<typeof writeHeader>[2], 'uid' | 'gid' | 'mtime'> {
  switch (entry.kind) {
    case 'file':
      return { path, type: 'file', size: entry.content.length, mode: entry.isExecutable ? 0o755 : 0o644, link: '' };
    case 'directory':
      return { path: `${path}/`, type: 'directory', size: 0, mode: 0o755, link: '' };
    case 'symlink':
      return { path, type: 'symlink', size: 0, mode: 0o777, link: entry.target };
  }
}
