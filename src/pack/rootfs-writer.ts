import { createHash } from 'node:crypto';
import { close, constants, openSync } from 'node:fs';
import { access, open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Contents, Tree } from '../assemble/tree.ts';
import { digestFromHex } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { halfMadeFile } from '../base/half-made-file.ts';
import type { Progress } from '../base/progress.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { faultOfTarget } from '../base/special-file.ts';
import { formatSize } from '../base/units.ts';
import { packTree } from './pack-tree.ts';

export interface RootfsOptions {
  readonly tree: Tree;
  readonly contents: Contents;
  /** Where the tar goes, if anywhere. An older file there is replaced, at once and only when the tar is whole. */
  readonly output?: string | undefined;
  /** Called with the identity before the output gets its name; what it throws leaves the output as it was. */
  readonly check?: ((diffId: Digest) => void) | undefined;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface Rootfs {
  /** The image's identity: sha256 of the uncompressed tar. */
  readonly diffId: Digest;
  /** Of the tar, in bytes. */
  readonly size: number;
}

/** Hashing is synchronous, so signals and timers get their turn after this much of it. */
const BREATH_BYTES = 8 * 1024 ** 2;

/**
 * Packs `tree`, finds out the image's identity and writes the tar if an output is given. Half of a tar is never left by a
 * process that ends or is killed; it is not fsynced, because whoever lost power has the store, and builds it again.
 * Throws what `packTree` throws, E_DISK_FULL, E_USAGE when `output` cannot be written, and the signal's reason.
 */
export async function writeRootfs(options: RootfsOptions): Promise<Rootfs> {
  options.signal.throwIfAborted();
  const total = [...options.tree.values()].reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0);
  options.progress({ kind: 'begin', step: 'pack', title: 'pack the tar', total: { bytes: total } });
  const rootfs = options.output === undefined ? await stream(options) : await streamToFile(options, options.output);
  options.progress({ kind: 'end', step: 'pack', summary: `${options.tree.size} entries, ${formatSize(rootfs.size)}` });
  return rootfs;
}

async function streamToFile(options: RootfsOptions, output: string): Promise<Rootfs> {
  const temporary = halfMadeFile(output);
  try {
    await refuseSpecialFile(output);
    const file = await open(temporary, 'wx', 0o644);
    try {
      const rootfs = await stream(options, file);
      await file.close();
      await replaceFile(temporary, output);
      return rootfs;
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw outputError(output, error);
  }
}

/**
 * Renames. The kernel frees the pages of a file that is replaced when nobody has it open any more, which takes as long as
 * writing them did: so that is done in a thread of the pool, beside what comes next.
 */
async function replaceFile(temporary: string, output: string): Promise<void> {
  const replaced = openReplaced(output);
  await rename(temporary, output);
  if (replaced !== undefined) close(replaced, () => undefined);
}

function openReplaced(output: string): number | undefined {
  try {
    return openSync(output, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    // Nothing is there, or it may not be read: then the rename takes its time, or fails.
    return undefined;
  }
}

/** Throws at once what `writeRootfs` would throw after long work, as far as it can be known. */
export async function checkOutput(output: string): Promise<void> {
  try {
    await refuseSpecialFile(output);
    await access(dirname(output), constants.W_OK);
  } catch (error) {
    throw outputError(output, error);
  }
}

/** A rename would put the tar in the place of a device, a pipe or a link. */
async function refuseSpecialFile(output: string): Promise<void> {
  const fault = await faultOfTarget(output);
  if (fault === undefined) return;
  throw new RootcellarError('E_USAGE', `\`${output}\`: ${fault}`, {
    hint: 'give the path of a file, such as ./rootfs.tar',
  });
}

async function stream(options: RootfsOptions, file?: FileHandle): Promise<Rootfs> {
  const hash = createHash('sha256');
  let size = 0;
  let nextBreath = BREATH_BYTES;
  for await (const chunk of oneByOne(packTree(options.tree, options.contents))) {
    // The kernel takes the chunk in a thread of the pool while this one hashes it.
    const writing = file === undefined ? undefined : writeAll(file, chunk);
    hash.update(chunk);
    await writing;
    size += chunk.length;
    if (size < nextBreath) continue;
    nextBreath = size + BREATH_BYTES;
    options.progress({ kind: 'advance', step: 'pack', done: { bytes: size } });
    await setImmediate();
    options.signal.throwIfAborted();
  }
  options.signal.throwIfAborted();
  const diffId = digestFromHex(hash.digest('hex'));
  if (diffId === undefined) throw new Error('unreachable: sha256 gave no digest');
  options.check?.(diffId);
  return { diffId, size };
}

/** The chunks, each asked for only when the one before has been dealt with. */
async function* oneByOne(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  const { bytesWritten } = await file.write(chunk);
  if (bytesWritten < chunk.length) await writeAll(file, chunk.subarray(bytesWritten));
}

const OUTPUT_FAULTS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'its folder does not exist'],
  ['ENOTDIR', 'its folder is a file'],
  ['EISDIR', 'is a folder'],
  ['EACCES', 'may not be written'],
  ['EPERM', 'may not be written'],
  ['EROFS', 'lies on a read-only file system'],
  ['ENAMETOOLONG', 'is too long a name'],
  ['ELOOP', 'lies behind links that lead in a circle'],
]);

/** What went wrong with writing `output`, as an error for people where it is one of theirs. */
export function outputError(output: string, cause: unknown): unknown {
  if (isErrno(cause, 'ENOSPC') || isErrno(cause, 'EDQUOT') || isErrno(cause, 'EFBIG')) {
    const hint = `df -h ${shellWord(dirname(output))}`;
    return new RootcellarError('E_DISK_FULL', `\`${output}\`: no space is left for the tar`, { hint, cause });
  }
  for (const [name, fault] of OUTPUT_FAULTS) {
    if (!isErrno(cause, name)) continue;
    const hint = name === 'ENOENT' ? `mkdir -p ${shellWord(dirname(output))}` : 'give a path where you may write';
    return new RootcellarError('E_USAGE', `\`${output}\`: ${fault}`, { hint, cause });
  }
  return cause;
}
