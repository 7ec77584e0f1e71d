import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestFromHex, hexOf, type Digest } from '../base/digest.ts';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { HostBytes } from '../lock/locked-artifacts.ts';
import { syncFileSystem } from '../resolve/run-tool.ts';
import { writeError } from './replace-file.ts';
import { isVendoredName, VENDOR_PLACES } from './vendor-names.ts';

/** Contents of a host that a vendor folder has by name; whether the bytes are right, `checkVendored` says. */
export async function vendoredHostNames(folder: string): Promise<ReadonlySet<Digest>> {
  const place = join(folder, VENDOR_PLACES.host.folder);
  try {
    return new Set(
      (await readdir(place)).flatMap((name) => (isVendoredName('host', name) ? (digestFromHex(name) ?? []) : [])),
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return new Set();
    if (!isErrno(error, 'EACCES') && !isErrno(error, 'EPERM')) throw error;
    const message = `\`${place}\`: may not be read by this user`;
    throw new RootcellarError('E_HOST_FILE', message, { hint: `ls -ld ${place}`, cause: error });
  }
}

export interface HostWriting {
  /** The content; throws where this machine does not have it as it was locked. */
  readonly read: (bytes: HostBytes) => Iterable<Uint8Array>;
  readonly written: (bytes: HostBytes) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/**
 * Puts contents of this machine into the folder. Each is whole when it gets its name; all are on the disk for good when this
 * returns. They are thousands, so there is no fsync for each: whatever a loss of power leaves is read before it is used.
 */
export async function putHostBytes(folder: string, wanted: readonly HostBytes[], writing: HostWriting): Promise<void> {
  const place = join(folder, VENDOR_PLACES.host.folder);
  try {
    await mkdir(place, { recursive: true });
    const staging = halfMadeFile(place);
    await mkdir(staging);
    try {
      for (const bytes of wanted) {
        writing.signal.throwIfAborted();
        await putOne({ place, staging, bytes }, writing);
        writing.written(bytes);
      }
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    await syncFileSystem(place, writing);
  } catch (error) {
    throw writeError(place, error);
  }
}

interface Put {
  readonly place: string;
  /** On the same file system. */
  readonly staging: string;
  readonly bytes: HostBytes;
}

async function putOne({ place, staging, bytes }: Put, { read }: HostWriting): Promise<void> {
  const path = join(place, hexOf(bytes.digest));
  const temporary = join(staging, hexOf(bytes.digest));
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      for (const chunk of read(bytes)) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    throw writeError(path, error);
  }
}
