import { spawn } from 'node:child_process';
import { fstatSync, statSync } from 'node:fs';
import { RootcellarError } from '../base/rootcellar-error.ts';

export interface LockRequest {
  /** Whether to wait for the holder, or how many milliseconds at most; a lock that is held all the while gives `false`. */
  readonly wait: boolean | number;
  /** Beside others that share it. Alone when undefined. */
  readonly isShared?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

const BUSY = 75;
const STANDARD_ERROR_LIMIT = 2000;

/**
 * Takes a flock(2) lock, exclusive unless it is shared, on the open file `descriptor`. It holds until every copy of the descriptor is closed,
 * so the kernel frees it when this process dies in whatever way.
 *
 * Node has no flock(2). util-linux's flock(1) locks the open file description that it inherits, which is ours: the lock
 * stays when it ends (flock(2): "associated with an open file description").
 * Throws E_STORE_INVALID when flock(1) or the file system cannot lock, E_CANCELLED when `signal` stopped the waiting.
 */
export async function lockDescriptor(descriptor: number, { wait, isShared, signal }: LockRequest): Promise<boolean> {
  const kind = isShared === true ? '--shared' : '--exclusive';
  const { status, errors } = await runFlock([kind, ...patience(wait), '3'], descriptor, signal);
  if (status === 0) return true;
  if (status === BUSY && wait !== true) return false;
  if (signal?.aborted === true) throw new RootcellarError('E_CANCELLED', 'the store: stopped while waiting for a lock');
  throw new RootcellarError('E_STORE_INVALID', `the store: its files cannot be locked: ${errors.trim()}`, {
    hint: 'apt-get install util-linux, or set ROOTCELLAR_HOME to a folder on a local disk',
  });
}

function patience(wait: LockRequest['wait']): readonly string[] {
  if (wait === true) return [];
  const most = wait === false ? ['--nonblock'] : ['--timeout', `${wait / 1000}`];
  return [...most, '--conflict-exit-code', `${BUSY}`];
}

/** Whether `path` still names the open file `descriptor`. */
export function isSameFile(descriptor: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(descriptor);
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
}

interface FlockEnd {
  readonly status: number | null;
  readonly errors: string;
}

function runFlock(args: readonly string[], descriptor: number, signal: AbortSignal | undefined): Promise<FlockEnd> {
  return new Promise((resolve) => {
    const child = spawn('flock', args, { stdio: ['ignore', 'ignore', 'pipe', descriptor], signal });
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < STANDARD_ERROR_LIMIT) errors += text;
    });
    child.on('error', (error) => {
      resolve({ status: null, errors: error.message });
    });
    child.on('close', (status) => {
      resolve({ status, errors });
    });
  });
}
