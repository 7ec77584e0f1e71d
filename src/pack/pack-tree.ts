import type { Contents, Entry, FileEntry, Tree } from '../assemble/tree.ts';
import { byteOrder, inByteOrder } from '../base/byte-order.ts';
import { parentOf, parseImagePath } from '../base/image-path.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { BLOCK, LARGEST_HEADER, writeHeader } from './tar-header.ts';

const CHUNK_BYTES = 1024 ** 2;
/** Content chunks of at least this size are passed on without a copy. */
const LARGE_BYTES = 256 * 1024;

/**
 * The canonical tar of `tree` in chunks. Equal trees give equal bytes, however their maps are ordered.
 *
 * Members come in byte order of their paths, so that a folder comes before what it holds and the first path of a group
 * of hard links before the others. Names have no leading `/` or `./`, those of folders end in `/`; the root is no
 * member. Headers are ustar, with a pax header only where ustar cannot hold a value. A hard link has the metadata of
 * its file. Two zero blocks end the tar; nothing is padded further.
 *
 * A chunk is valid only until the next one is asked for. Throws E_ARTIFACT_INVALID for a tree that has no such tar
 * and E_STORE_INVALID when `contents` gives more or fewer bytes than a file has.
 */
export function* packTree(tree: Tree, contents: Contents): Generator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  for (const path of inByteOrder([...tree.keys()])) {
    const entry = entryAt(tree, path);
    checkPlace(tree, entry);
    if (filled + LARGEST_HEADER > CHUNK_BYTES) {
      yield buffer.subarray(0, filled);
      filled = 0;
    }
    filled += writeEntryHeader(buffer, filled, { tree, entry });
    if (entry.kind !== 'file' || entry.size === 0) continue;
    filled = yield* packContent(buffer, filled, { entry, contents });
  }
  if (filled + 2 * BLOCK > CHUNK_BYTES) {
    yield buffer.subarray(0, filled);
    filled = 0;
  }
  buffer.fill(0, filled, filled + 2 * BLOCK);
  yield buffer.subarray(0, filled + 2 * BLOCK);
}

interface FileContent {
  readonly entry: FileEntry;
  readonly contents: Contents;
}

/** Appends one file's content and its padding to what `buffer` holds; returns what it holds afterwards. */
function* packContent(
  buffer: Buffer,
  before: number,
  { entry, contents }: FileContent,
): Generator<Uint8Array, number, undefined> {
  let filled = before;
  let left = entry.size;
  for (const chunk of contents.chunks(entry.digest, entry.size)) {
    left -= chunk.length;
    if (left < 0) break;
    if (filled > 0 && (chunk.length >= LARGE_BYTES || filled + chunk.length > CHUNK_BYTES)) {
      yield buffer.subarray(0, filled);
      filled = 0;
    }
    if (chunk.length >= LARGE_BYTES) {
      yield chunk;
    } else {
      buffer.set(chunk, filled);
      filled += chunk.length;
    }
  }
  if (left !== 0) throw wrongSize(entry);
  const padding = (BLOCK - (entry.size % BLOCK)) % BLOCK;
  if (filled + padding > CHUNK_BYTES) {
    yield buffer.subarray(0, filled);
    filled = 0;
  }
  buffer.fill(0, filled, filled + padding);
  return filled + padding;
}

interface PlacedEntry {
  readonly tree: Tree;
  readonly entry: Entry;
}

function writeEntryHeader(buffer: Buffer, offset: number, { tree, entry }: PlacedEntry): number {
  const { mode, uid, gid, mtime } = entry.kind === 'hardlink' ? entryAt(tree, entry.target) : entry;
  return writeHeader(buffer, offset, {
    path: entry.kind === 'directory' ? `${entry.path}/` : entry.path,
    type: entry.kind,
    size: entry.kind === 'file' ? entry.size : 0,
    link: entry.kind === 'symlink' || entry.kind === 'hardlink' ? entry.target : '',
    mode,
    uid,
    gid,
    mtime,
  });
}

/** Refuses what would not come out of an extraction as it is in the tree. */
function checkPlace(tree: Tree, entry: Entry): void {
  if (entry.path === '' || parseImagePath(entry.path) !== entry.path) {
    throw new RootcellarError('E_ARTIFACT_INVALID', `\`${entry.path.slice(0, 200)}\`: is not a path in an image`);
  }
  const parent = parentOf(entry.path);
  if (parent !== '' && tree.get(parent)?.kind !== 'directory') {
    throw new RootcellarError('E_ARTIFACT_INVALID', `\`${entry.path}\`: \`${parent}\` is not a folder of the image`);
  }
  if (entry.kind !== 'hardlink') return;
  if (tree.get(entry.target)?.kind !== 'file' || byteOrder(entry.target, entry.path) > 0) {
    throw new RootcellarError(
      'E_ARTIFACT_INVALID',
      `\`${entry.path}\`: is a hard link to \`${entry.target}\`, which is not a file that comes before it`,
    );
  }
}

function entryAt(tree: Tree, path: ImagePath): Entry {
  const entry = tree.get(path);
  if (entry === undefined || entry.path !== path) throw new Error(`unreachable: tree without entry \`${path}\``);
  return entry;
}

function wrongSize(entry: FileEntry): RootcellarError {
  return new RootcellarError(
    'E_STORE_INVALID',
    `\`${entry.path}\`: the store does not give the ${entry.size} bytes of its content`,
  );
}
