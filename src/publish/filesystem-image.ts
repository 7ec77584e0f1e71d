import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lutimes, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { geteuid } from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Contents, Tree } from '../assemble/tree.ts';
import type { Digest } from '../base/digest.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { packTree } from '../pack/pack-tree.ts';
import { uuidOf } from '../pack/sbom.ts';
import { writeTree } from '../store/tree-writer.ts';

export const FILESYSTEM_COMPRESSIONS = {
  squashfs: ['gzip', 'zstd', 'xz', 'none'],
  erofs: ['none', 'lz4'],
} as const;

export interface FilesystemRequest {
  readonly tree: Tree;
  readonly contents: Contents;
  readonly diffId: Digest;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** One that `FILESYSTEM_COMPRESSIONS` has for the format. */
  readonly compression: string;
  /** Absolute; is not there, and its folder is. */
  readonly output: string;
  /** What it will be called, for errors. */
  readonly title: string;
  /** Absolute; is not there, its folder is, and the caller removes it. */
  readonly scratch: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/**
 * Writes a SquashFS image by mksquashfs, from the canonical tar. The same image and the same version of the program give the
 * same bytes. Throws E_TOOL, E_DISK_FULL, and the signal's reason.
 */
export async function writeSquashfs(request: FilesystemRequest): Promise<void> {
  const { tree, contents, compression, output, signal } = request;
  const packing = compression === 'none' ? ['-noI', '-noD', '-noF', '-noX'] : ['-comp', compression];
  const root = ['-root-mode', '755', '-root-uid', '0', '-root-gid', '0'];
  const packed = async function* (): AsyncGenerator<Buffer> {
    // The chunk is another one when the next is asked for.
    for (const chunk of packTree(tree, contents)) yield Buffer.from(chunk);
  };
  const tool = {
    program: 'mksquashfs',
    debian: 'squashfs-tools',
    words: ['-', output, '-tar', '-no-progress', '-quiet', ...root, ...packing],
  };
  await runMaker(tool, request, Readable.from(packed(), { objectMode: false, signal }));
}

/**
 * Writes an EROFS image by mkfs.erofs. Only newer versions of it read tars, so it gets a folder, which has its owners only for
 * root. The same image and the same version of the program give the same bytes. Throws as `writeSquashfs` does, and E_USAGE
 * where files have owners that this user cannot give.
 */
export async function writeErofs(request: FilesystemRequest): Promise<void> {
  const { tree, contents, diffId, compression, output, scratch, signal } = request;
  const isRoot = geteuid?.() === 0;
  if (!isRoot && [...tree.values()].some(({ uid, gid }) => uid !== 0 || gid !== 0)) {
    throw new RootcellarError('E_USAGE', '--format erofs: the image has files of others than root', {
      hint: 'run it as root, or give --format squashfs',
    });
  }
  // Images have folders that every user may write to: nobody else gets in.
  await mkdir(scratch, { mode: 0o700 });
  const folder = join(scratch, 'rootfs');
  await writeTree(tree, { folder, contents, keepOwners: isRoot, signal });
  await lutimes(folder, latestTime(request), latestTime(request));
  const owners = isRoot ? [] : ['--all-root'];
  const packing = compression === 'none' ? [] : ['-zlz4hc'];
  // No labels of this machine's disk.
  const words = ['-x-1', '-U', uuidOf(diffId), '--quiet', ...owners, ...packing, output, folder];
  await runMaker({ program: 'mkfs.erofs', debian: 'erofs-utils', words }, request);
}

/** The time of the whole, which no file exceeds. */
function latestTime({ tree, epoch }: Pick<FilesystemRequest, 'tree' | 'epoch'>): number {
  let latest = epoch;
  for (const { mtime } of tree.values()) latest = Math.max(latest, mtime);
  return latest;
}

interface Maker {
  readonly program: string;
  /** Debian's package of it. */
  readonly debian: string;
  readonly words: readonly string[];
}

const MOST_ERROR_TEXT = 4096;

async function runMaker(
  { program, debian, words }: Maker,
  request: FilesystemRequest,
  input?: Readable,
): Promise<void> {
  const { environment, output, title, signal } = request;
  signal.throwIfAborted();
  const child = spawn(program, words, {
    cwd: dirname(output),
    // Both make it the time of the whole, and keep those of files up to it. A flag leaves the root with the time of now.
    env: { ...environment, SOURCE_DATE_EPOCH: `${latestTime(request)}` },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
    signal,
  });
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(-MOST_ERROR_TEXT)));
  const ended = once(child, 'close');
  const fed = input === undefined || child.stdin === null ? undefined : pipeline(input, child.stdin);
  const [end, feed] = await Promise.allSettled([ended, fed]);
  signal.throwIfAborted();
  if (end.status === 'rejected') throw isErrno(end.reason, 'ENOENT') ? missing(program, debian) : end.reason;
  const isOurs = feed.status === 'rejected' && feed.reason instanceof RootcellarError;
  // What the program says of its end counts more than that it took no more input.
  if (end.value[0] !== 0 && !isOurs) throw failed(program, text, title);
  if (feed.status === 'rejected') throw feed.reason;
}

function missing(program: string, debian: string): RootcellarError {
  return new RootcellarError('E_TOOL', `\`${program}\`: is not on this machine`, { hint: `apt-get install ${debian}` });
}

function failed(program: string, text: string, title: string): RootcellarError {
  const last = text.trim().split('\n').at(-1) ?? '';
  if (/No space left/i.test(text)) {
    return new RootcellarError('E_DISK_FULL', `\`${title}\`: no space is left for it`, {
      hint: `df -h ${shellWord(dirname(title))}, or give another path`,
    });
  }
  return new RootcellarError('E_TOOL', `\`${program}\`: failed: ${last.slice(0, 500)}`, {
    hint: `${program} ${program === 'mksquashfs' ? '-version' : '-V'}, and take a newer one where it is old`,
  });
}
