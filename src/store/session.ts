import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../base/rootcellar-error.ts';
import { isSameFile, lockDescriptor } from './flock.ts';
import { findLeftovers } from './leftovers.ts';

/** A process's own folder for half-made files, below `tmp/`; locked for as long as the process lives. */
export interface Session {
  readonly folder: string;
  readonly descriptor: number;
}

/** Makes a session in the store at `home`, and removes what dead processes left behind. */
export async function openSession(home: string): Promise<Session> {
  await findLeftovers(home, { remove: true });
  return createSession(join(home, 'tmp'));
}

export function closeSession({ folder, descriptor }: Session): void {
  rmSync(folder, { recursive: true, force: true });
  closeSync(descriptor);
}

/** Between making a folder and locking it, a sweep of another process may remove it: then it makes another one. */
async function createSession(temporary: string): Promise<Session> {
  const folder = join(temporary, randomUUID());
  mkdirSync(folder);
  const descriptor = openNew(folder);
  if (descriptor === undefined) return createSession(temporary);
  const isLocked = await lockDescriptor(descriptor, { wait: false });
  if (isLocked && isSameFile(descriptor, folder)) return { folder, descriptor };
  closeSync(descriptor);
  return createSession(temporary);
}

/** Undefined when a sweep has removed it already. */
function openNew(folder: string): number | undefined {
  try {
    chmodSync(folder, 0o711);
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
