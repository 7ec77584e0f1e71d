import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { Entry, FileEntry, HardLinkEntry, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { Digest } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';

/** How the folder differs from the tree: missing and extra paths, kinds, modes, times, targets, contents; a line each. */
export async function compareFolder(folder: string, tree: Tree): Promise<readonly string[]> {
  const found = new Set(listFolder(folder, ''));
  const extra = [...found]
    .filter((path) => !tree.has(path))
    .map((path) => `\`${join(folder, path)}\`: is not of the image`);
  const entries = [...tree.values()].toSorted((a, b) => byteOrder(a.path, b.path));
  const faults = entries.flatMap((entry) => {
    const fault = found.has(entry.path) ? metadataFault(folder, entry) : 'is missing';
    return fault === undefined ? [] : [`\`${join(folder, entry.path)}\`: ${fault}`];
  });
  const files = entries.flatMap((entry) => (entry.kind === 'file' && found.has(entry.path) ? [entry] : []));
  return [...extra, ...faults, ...(await contentFaults(folder, files, 0))];
}

function listFolder(folder: string, path: ImagePath): ImagePath[] {
  const paths: ImagePath[] = [];
  for (const child of readdirSync(join(folder, path), { withFileTypes: true })) {
    const childPath = path === '' ? child.name : `${path}/${child.name}`;
    paths.push(childPath);
    if (child.isDirectory()) paths.push(...listFolder(folder, childPath));
  }
  return paths;
}

function metadataFault(folder: string, entry: Entry): string | undefined {
  const path = join(folder, entry.path);
  const status = lstatSync(path);
  if (entry.kind === 'hardlink') return linkFault(folder, entry, status);
  if (kindOf(status) !== entry.kind) return `is no ${entry.kind}`;
  if (status.mtimeMs !== entry.mtime * 1000) return 'has another time';
  if (entry.kind === 'symlink') return readlinkSync(path) === entry.target ? undefined : 'has another target';
  return (status.mode & 0o7777) === entry.mode ? undefined : `has mode ${(status.mode & 0o7777).toString(8)}`;
}

function linkFault(folder: string, { target }: HardLinkEntry, status: Stats): string | undefined {
  const file = lstatSync(join(folder, target), { throwIfNoEntry: false });
  return file?.ino === status.ino ? undefined : `is not one with \`/${target}\``;
}

function kindOf(status: Stats): Entry['kind'] | undefined {
  if (status.isFile()) return 'file';
  if (status.isDirectory()) return 'directory';
  return status.isSymbolicLink() ? 'symlink' : undefined;
}

/** One file after another: the disk is what takes the time. */
async function contentFaults(folder: string, files: readonly FileEntry[], index: number): Promise<string[]> {
  const entry = files[index];
  if (entry === undefined) return [];
  const path = join(folder, entry.path);
  const isSame = lstatSync(path).isFile() && (await fileDigest(path)) === entry.digest;
  const rest = await contentFaults(folder, files, index + 1);
  return isSame ? rest : [`\`${path}\`: has other bytes`, ...rest];
}

async function fileDigest(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 512 * 1024 })) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
