import { join } from 'node:path';
import { hostChangedError, hostChanges, type HostChange } from './assemble/host-changes.ts';
import { hostDisk, readHostFile } from './assemble/host-disk.ts';
import { hostMachine } from './assemble/host-machine.ts';
import type { Architecture } from './base/architecture.ts';
import type { RootcellarError } from './base/rootcellar-error.ts';
import { lockedHostFiles } from './lock/locked-artifacts.ts';
import type { LockedTarget } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { HostMachine } from './resolve/host-machine.ts';
import type { HostContent } from './resolve/resolution.ts';
import { openFileMemory, type FileMemory } from './store/file-memory.ts';
import { vendoredHostNames } from './store/vendor-host.ts';

export interface HostCheck {
  readonly target: LockedTarget;
  readonly architecture: Architecture;
  /** As the user can name it again. */
  readonly recipe: string;
}

/**
 * Compares the locked files with what is there now: E_HOST_CHANGED names those that changed, are gone, or are new in a
 * folder that was taken whole. With a vendor folder that has files of the host, only those are looked at which it lacks:
 * the rest does not come from this machine. A file is read again unless its inode is as it was when the store's memory was
 * made of it.
 */
export async function checkHostFiles(
  { target, architecture, recipe }: HostCheck,
  context: PipelineContext,
): Promise<void> {
  if (target.host === undefined) return;
  const { vendor } = context;
  const files = lockedHostFiles(target.host);
  const vendored = vendor === undefined ? new Set() : await vendoredHostNames(vendor);
  const lacking = files.filter(({ digest }) => !vendored.has(digest));
  const request = { target, architecture, recipe };
  if (vendor === undefined || lacking.length === files.length) {
    const changes = await changesOf(target.host, request, context);
    if (changes.length > 0) throw hostChangedError(changes, `rootcellar lock ${recipe}`);
    return;
  }
  if (lacking.length === 0) return;
  const changes = await changesOf({ files: lacking, folders: [] }, request, context);
  if (changes.length > 0) throw lackingError(changes, { vendor, architecture, recipe });
}

/** What of `host` is not on this machine as it was locked. */
export async function changesOf(
  host: HostContent,
  { target, architecture }: Pick<HostCheck, 'target' | 'architecture'>,
  context: PipelineContext,
): Promise<readonly HostChange[]> {
  const disk = hostDisk();
  const memory = await hostMemory(context);
  const { interpreter } = target;
  const changes = hostChanges(host, {
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
  return changes;
}

export interface Lack {
  /** Path of the vendor folder. */
  readonly vendor: string;
  readonly architecture: Architecture;
  readonly recipe: string;
}

/** E_HOST_CHANGED for files that are neither in the vendor folder nor, as they were locked, on this machine. */
export function lackingError(changes: readonly HostChange[], { vendor, architecture, recipe }: Lack): RootcellarError {
  const named = changes.map(({ path, change }) => ({
    path,
    change: `${change}, and \`${vendor}\` does not have it either`,
  }));
  return hostChangedError(named, vendorHint(recipe, architecture));
}

export function vendorHint(recipe: string, architecture: Architecture): string {
  return `rootcellar vendor ${recipe} --arch ${architecture}, on the machine that it was locked on; or rootcellar lock ${recipe}`;
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
