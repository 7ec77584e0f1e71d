import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parseElf } from '../../src/assemble/elf-reader.ts';
import type { Contents, ElfFacts, Entry, FileEntry, Tree } from '../../src/assemble/tree.ts';
import { digestOf } from '../../src/base/digest.ts';
import { parentOf } from '../../src/base/image-path.ts';

const METADATA = { mode: 0o644, uid: 0, gid: 0, mtime: 0, origin: 'test' };

export interface FilledTree {
  readonly tree: Tree;
  readonly contents: Contents;
}

/** What a made-up library says; amd64 and 64 bits unless said. */
export function elfFacts(facts: Partial<ElfFacts> = {}): ElfFacts {
  const nothing = { needed: [], rpath: [], runpath: [], versionsNeeded: {}, versionsDefined: [] };
  return { machine: 62, bits: 64, ...nothing, noDefaultLibraries: false, dynamic: true, ...facts };
}

/**
 * Values: ELF facts, a link (`-> target`), or the text of a file. Folders come by themselves. `originOf`
 * tells the package of each file; they are all of one when it is left out.
 */
export function treeOf(
  files: Readonly<Record<string, ElfFacts | string>>,
  originOf: (path: string) => string = () => 'test',
): FilledTree {
  const tree = new Map<string, Entry>();
  const contents = new Map<string, Uint8Array>();
  for (const [path, what] of Object.entries(files)) {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      if (!tree.has(folder)) tree.set(folder, { ...METADATA, kind: 'directory', path: folder });
    }
    if (typeof what === 'string' && what.startsWith('-> ')) {
      tree.set(path, { ...METADATA, kind: 'symlink', path, target: what.slice(3) });
      continue;
    }
    const text = Buffer.from(typeof what === 'string' ? what : path);
    const elf = typeof what === 'string' ? undefined : what;
    const facts = { ...METADATA, origin: originOf(path), size: text.length, digest: digestOf(text), elf };
    tree.set(path, { ...facts, kind: 'file', path });
    contents.set(digestOf(text), text);
  }
  return { tree, contents: contentsOf((digest) => contents.get(digest)) };
}

/** A folder on disk as a tree, with ELF facts. */
export function treeFromDisk(root: string): FilledTree {
  const tree = new Map<string, Entry>();
  const files = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const name of readdirSync(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const stat = lstatSync(join(root, path));
      if (stat.isSymbolicLink())
        tree.set(path, { ...METADATA, kind: 'symlink', path, target: readlinkSync(join(root, path)) });
      else if (stat.isDirectory()) tree.set(path, { ...METADATA, mode: 0o755, kind: 'directory', path });
      else if (stat.isFile()) {
        const entry = fileEntry(path, readFileSync(join(root, path)));
        files.set(entry.digest, join(root, path));
        tree.set(path, entry);
      }
      if (stat.isDirectory()) visit(path);
    }
  };
  visit('');
  return { tree, contents: contentsOf((digest) => readFileSync(files.get(digest) ?? '')) };
}

function fileEntry(path: string, content: Uint8Array): FileEntry {
  return { ...METADATA, kind: 'file', path, size: content.length, digest: digestOf(content), elf: parseElf(content) };
}

function contentsOf(find: (digest: string) => Uint8Array | undefined): Contents {
  return {
    *chunks(digest) {
      const content = find(digest);
      if (content === undefined) throw new Error(`no content ${digest}`);
      yield content;
    },
  };
}
