import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../base/rootcellar-error.ts';
import { lockDescriptor } from './flock.ts';

/** A process's own folder for half-made files, below `tmp/`; locked for as long as the process lives. */
export interface Session {
  readonly folder: string;
  readonly descriptor: number;
}

/** Makes a session and removes what dead ones left behind. */
export async function openSession(temporary: string): Promise<Session> {
  await sweep(temporary);
  return createSession(temporary);
}

export function closeSession({ folder, descriptor }: Session): void {
  rmSync(folder, { recursive: true, force: true });
  closeSync(descriptor);
}

/** Whether `path` still names the open file `descriptor`. */
export function isSameFile(descriptor: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(descriptor);
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
}

/** Between making a folder and locking it, a sweep of another process may remove it: then it makes another one. */
async function createSession(temporary: string): Promise<Session> {
  const folder = join(temporary, randomUUID());
  mkdirSync(folder);
  chmodSync(folder, 0o711);
  const descriptor = openFolder(folder);
  if (descriptor === undefined) return createSession(temporary);
  const isLocked = await lockDescriptor(descriptor, { wait: false });
  if (isLocked && isSameFile(descriptor, folder)) return { folder, descriptor };
  closeSync(descriptor);
  return createSession(temporary);
}

/** Removes the folders that no living process has locked. */
async function sweep(temporary: string): Promise<void> {
  await Promise.all(readdirSync(temporary).map((name) => sweepFolder(join(temporary, name))));
}

async function sweepFolder(folder: string): Promise<void> {
  const descriptor = openFolder(folder);
  if (descriptor === undefined) return;
  try {
    if (await lockDescriptor(descriptor, { wait: false })) rmSync(folder, { recursive: true, force: true });
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined when it is gone. */
function openFolder(folder: string): number | undefined {
  try {
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
