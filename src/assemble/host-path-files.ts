import { dirname, resolve } from 'node:path/posix';
import { readHostFile, type HostDisk } from './host-disk.ts';
import { followHostPath } from './host-way.ts';

/** A folder that a `.pth` file adds to what can be imported, as editable installs do. */
export interface AddedFolder {
  readonly file: string;
  /** Where it really lies. */
  readonly folder: string;
}

/** A longer file is no list of folders. */
const LONGEST = 64 * 1024;

/** The folders that `.pth` files among `paths` name. Lines that run code name none. Source: the documentation of `site`. */
export function addedFolders(disk: HostDisk, paths: Iterable<string>): readonly AddedFolder[] {
  const files = [...paths].filter((path) => /\/(?:site|dist)-packages\/[^/]+\.pth$/.test(path));
  return files.flatMap((file) =>
    linesOf(disk, file).flatMap((line): AddedFolder[] => {
      if (line === '' || line.startsWith('#')) return [];
      const { end } = followHostPath(disk, resolve(dirname(file), line));
      return end.kind === 'folder' ? [{ file, folder: end.path }] : [];
    }),
  );
}

function linesOf(disk: HostDisk, file: string): readonly string[] {
  const thing = disk.look(file);
  if (thing?.kind !== 'file' || thing.size > LONGEST) return [];
  const parts: Uint8Array[] = [];
  readHostFile(disk, file, (chunk) => parts.push(Uint8Array.from(chunk)));
  const text = Buffer.concat(parts)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  return text.split(/\r?\n/).map((line) => line.trim());
}
