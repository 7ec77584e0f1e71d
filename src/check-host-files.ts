import { join } from 'node:path';
import { hostChangedError, hostChanges } from './assemble/host-changes.ts';
import { hostDisk, readHostFile } from './assemble/host-disk.ts';
import { hostMachine } from './assemble/host-machine.ts';
import type { Architecture } from './base/architecture.ts';
import type { LockedTarget } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { HostMachine } from './resolve/host-machine.ts';
import { openFileMemory, type FileMemory } from './store/file-memory.ts';

export interface HostCheck {
  readonly target: LockedTarget;
  readonly architecture: Architecture;
  /** As the user can name it again. */
  readonly recipe: string;
}

/**
 * Compares every locked file of this machine with what is there now: E_HOST_CHANGED names those that changed, are gone, or
 * are new in a folder that was taken whole. A file is read again unless its inode is as it was when the store's memory
 * was made of it.
 */
export async function checkHostFiles(
  { target, architecture, recipe }: HostCheck,
  context: PipelineContext,
): Promise<void> {
  if (target.host === undefined) return;
  const disk = hostDisk();
  const memory = await hostMemory(context);
  const { interpreter } = target;
  const changes = hostChanges(target.host, {
    disk,
    architecture,
    interpreter,
    digestOf: (path, stamp) => {
      context.signal.throwIfAborted();
      const known = memory.digestOf(path, stamp.text);
      if (known !== undefined) return known;
      const facts = readHostFile(disk, path);
      remember(memory, path, facts);
      return facts.digest;
    },
  });
  await memory.save();
  if (changes.length > 0) throw hostChangedError(changes, recipe);
}

export interface LockingMachine {
  readonly host: HostMachine;
  /** Keeps what was read, so that the next build need not read it again. */
  readonly remember: () => Promise<void>;
}

/** This machine, for `lock`. */
export async function lockingMachine(context: PipelineContext): Promise<LockingMachine> {
  const memory = await hostMemory(context);
  const host = hostMachine(hostDisk(), (path, file) => remember(memory, path, file));
  return { host, remember: () => memory.save() };
}

function hostMemory({ store, now }: PipelineContext): Promise<FileMemory> {
  return openFileMemory(store, { path: join(store.home, 'cache', 'host-files.json'), now });
}

type Read = Pick<ReturnType<typeof readHostFile>, 'digest' | 'stamp'>;

function remember(memory: FileMemory, path: string, { digest, stamp }: Read): void {
  memory.remember({ path, digest, stamp: stamp.text, changedMs: stamp.changed });
}
