import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { faultOfTarget } from '../base/special-file.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { decodeFrames, type FrameFault, type OutputFrame } from './output-frames.ts';
import type { TakenFile } from './run-report.ts';

/** A file or folder to take out of a cell. */
export interface OutputRequest {
  /** Relative to the cell's /tmp, or absolute beneath it. */
  readonly path: string;
  /** Absolute path on this machine. A file there is replaced, a folder is not. */
  readonly to: string;
}

/** Throws E_USAGE where something could not be put in the end, so that this is known before anything is run. */
export async function checkDestinations(requests: readonly OutputRequest[]): Promise<void> {
  for (const [index, { to }] of requests.entries()) {
    if (requests.findIndex((other) => other.to === to) !== index) throw unusable(to, 'would be written twice');
    const parent = await stat(dirname(to)).catch(() => undefined);
    if (parent?.isDirectory() !== true) throw unusable(to, 'is in no folder');
    const fault = await faultOfTarget(to);
    if (fault !== undefined) throw unusable(to, `is there already and ${fault}`);
  }
}

function unusable(to: string, fault: string): RootcellarError {
  return new RootcellarError('E_USAGE', `output: ${quotedWord(to)} ${fault}`, { hint: 'choose another place for it' });
}

/**
 * Reads frames to their end and writes what is asked for: each file or folder whole under a temporary name beside its place,
 * then renamed. Without a stream nothing was taken. Nothing of this machine is followed, replaced or read but that place. Returns what became of each file.
 */
export async function receiveOutputs(
  stream: AsyncIterable<Uint8Array> | undefined,
  requests: readonly OutputRequest[],
): Promise<readonly TakenFile[]> {
  const receiver = new Receiver(requests);
  try {
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of stream ?? []) {
      const decoded = decodeFrames(Buffer.concat([rest, chunk]));
      for (const frame of decoded.frames) await receiver.take(frame);
      ({ rest } = decoded);
    }
    return receiver.files();
  } finally {
    await receiver.discard();
  }
}

interface OpenFile {
  readonly name: Buffer;
  /** Undefined where it could not be made; then its content goes nowhere. */
  readonly handle: FileHandle | undefined;
  bytes: number;
  reason: string | undefined;
}

const OWNER_MAY_EXECUTE = 0o100;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** The state between two frames; holds a file and a half-made name. */
class Receiver {
  readonly #requests: readonly OutputRequest[];
  readonly #rows: TakenFile[][];
  #request = -1;
  #half: string | undefined;
  #file: OpenFile | undefined;
  #isDone = false;

  constructor(requests: readonly OutputRequest[]) {
    this.#requests = requests;
    this.#rows = requests.map(() => []);
  }

  async take(frame: OutputFrame): Promise<void> {
    if (this.#isDone) throw unexpected(frame);
    if (frame.kind === 'done') {
      await this.#commit();
      this.#isDone = true;
      return;
    }
    await this.#move(frame.request, frame);
    if (frame.kind === 'data') await this.#write(frame.content, frame);
    else if (frame.kind === 'end') await this.#close(frame);
    else if (frame.kind === 'fault') await this.#fail(frame.name, frame.fault);
    else if (this.#file !== undefined) throw unexpected(frame);
    else if (frame.kind === 'file') await this.#open(frame.name, frame.mode);
    else await this.#enter(frame.name);
  }

  /** What was not received whole counts as not taken. */
  files(): readonly TakenFile[] {
    return this.#requests.flatMap(({ path }, index) => {
      const isWhole = this.#isDone || index < this.#request;
      return isWhole ? (this.#rows[index] ?? []) : [{ path, bytes: 0, error: 'not-taken' }];
    });
  }

  async discard(): Promise<void> {
    await this.#file?.handle?.close();
    this.#file = undefined;
    if (this.#half !== undefined) await rm(this.#half, { recursive: true, force: true });
    this.#half = undefined;
  }

  async #move(request: number, frame: OutputFrame): Promise<void> {
    if (request < this.#request || request >= this.#requests.length) throw unexpected(frame);
    if (request > this.#request) await this.#commit();
    this.#request = request;
  }

  /** Puts what was asked for last into its place. */
  async #commit(): Promise<void> {
    if (this.#file !== undefined) throw new Error('unreachable: `cell` left a file open');
    const [half, to] = [this.#half, this.#requests[this.#request]?.to];
    if (half === undefined || to === undefined) return;
    try {
      await rename(half, to);
      this.#half = undefined;
    } catch (error) {
      const [first] = this.#rows[this.#request] ?? [];
      const row = this.#row(Buffer.alloc(0), { bytes: 0, error: 'not-written', reason: reasonOf(error) });
      // Where it could not even be begun, that is the reason.
      this.#rows[this.#request] = [first?.path === row.path && first.error !== undefined ? first : row];
      await this.discard();
    }
  }

  async #enter(name: Buffer): Promise<void> {
    try {
      await mkdir(this.#pathOf(name), 0o755);
    } catch (error) {
      this.#add(name, { bytes: 0, error: 'not-written', reason: reasonOf(error) });
    }
  }

  async #open(name: Buffer, mode: number): Promise<void> {
    // A copy: the name points into a chunk that would be kept as long.
    const own = Buffer.from(name);
    try {
      const path = this.#pathOf(own);
      const handle = await open(path, NEW_FILE, (mode & OWNER_MAY_EXECUTE) === 0 ? 0o644 : 0o755);
      this.#file = { name: own, handle, bytes: 0, reason: undefined };
    } catch (error) {
      this.#file = { name: own, handle: undefined, bytes: 0, reason: reasonOf(error) };
    }
  }

  async #write(content: Buffer, frame: OutputFrame): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw unexpected(frame);
    if (file.handle === undefined || file.reason !== undefined) return;
    try {
      await file.handle.writeFile(content);
      file.bytes += content.length;
    } catch (error) {
      file.reason = reasonOf(error);
    }
  }

  async #close(frame: OutputFrame): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw unexpected(frame);
    await this.#abandon(file, file.reason !== undefined);
    if (file.reason === undefined) this.#add(file.name, { bytes: file.bytes });
    else this.#add(file.name, { bytes: 0, error: 'not-written', reason: file.reason });
  }

  async #fail(name: Buffer, error: FrameFault): Promise<void> {
    if (this.#file !== undefined) await this.#abandon(this.#file, true);
    this.#add(name, { bytes: 0, error });
  }

  async #abandon(file: OpenFile, isRemoved: boolean): Promise<void> {
    this.#file = undefined;
    await file.handle?.close();
    if (isRemoved && file.handle !== undefined) await rm(this.#pathOf(file.name), { force: true });
    // A single file that is not to be had leaves nothing to rename.
    if (isRemoved && file.name.length === 0) this.#half = undefined;
  }

  /** Below a name of ours, in which everything was made by us: so there is no link in it. */
  #pathOf(name: Buffer): Buffer {
    if (this.#half === undefined) {
      if (name.length > 0) throw new Error('unreachable: `cell` sent what is in a folder without the folder');
      this.#half = halfMadeFile(this.#requests[this.#request]?.to ?? '');
    }
    return name.length === 0 ? Buffer.from(this.#half) : Buffer.concat([Buffer.from(`${this.#half}/`), name]);
  }

  #add(name: Buffer, row: Omit<TakenFile, 'path'>): void {
    this.#rows[this.#request]?.push(this.#row(name, row));
  }

  #row(name: Buffer, row: Omit<TakenFile, 'path'>): TakenFile {
    const asked = this.#requests[this.#request]?.path ?? '';
    const path = name.length === 0 ? Buffer.from(asked) : Buffer.concat([Buffer.from(`${asked}/`), name]);
    const text = path.toString('utf8');
    return { path: text, ...(Buffer.from(text).equals(path) ? {} : { path_base64: path.toString('base64') }), ...row };
  }
}

function reasonOf(error: unknown): string {
  const code = [
    'ENOSPC',
    'EDQUOT',
    'EACCES',
    'EEXIST',
    'ENAMETOOLONG',
    'ENOTEMPTY',
    'ENOTDIR',
    'EISDIR',
    'ENOENT',
    'EIO',
  ];
  const known = [...code, 'EPERM', 'EROFS', 'EFBIG', 'EILSEQ', 'EINVAL'].find((name) => isErrno(error, name));
  if (known === undefined) throw error;
  return known;
}

function unexpected({ kind }: OutputFrame): Error {
  return new Error(`unreachable: \`cell\` sent a frame \`${kind}\` that cannot come here`);
}
