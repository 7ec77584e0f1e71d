import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ContentSink, Entry, FileEntry, UnpackedArtifact } from '../../src/assemble/tree.ts';
import { digestOf } from '../../src/base/digest.ts';
import type { Digest } from '../../src/base/digest.ts';
import { Store } from '../../src/store/store.ts';

/** A folder that goes when the test ends. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rootcellar-store-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A new, empty store that goes when the test ends. */
export async function scratchStore(): Promise<Store> {
  const store = await Store.open({ home: join(await scratchFolder(), 'home') });
  onTestFinished(() => store.close());
  return store;
}

export function fileEntry(path: string, content: string | Uint8Array, mode = 0o644): FileEntry {
  const size = Buffer.byteLength(content);
  return { kind: 'file', path, mode, uid: 0, gid: 0, mtime: 1000, origin: 'toy 1', size, digest: digestOf(content) };
}

export function directoryEntry(path: string, mode = 0o755): Entry {
  return { kind: 'directory', path, mode, uid: 0, gid: 0, mtime: 1000, origin: 'toy 1' };
}

export function symlinkEntry(path: string, target: string): Entry {
  return { kind: 'symlink', path, mode: 0o777, uid: 0, gid: 0, mtime: 1000, origin: 'toy 1', target };
}

export function hardLinkEntry(path: string, target: string): Entry {
  return { kind: 'hardlink', path, mode: 0o644, uid: 0, gid: 0, mtime: 1000, origin: 'toy 1', target };
}

export function treeOf(...entries: readonly Entry[]): Map<string, Entry> {
  return new Map(entries.map((entry) => [entry.path, entry]));
}

/** An unpacking that writes these contents, each as a file of that name. */
export function unpackFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
): (sink: ContentSink) => Promise<UnpackedArtifact> {
  return async (sink) => {
    const entries: Entry[] = [];
    await inOrder(Object.entries(files), async ([path, content]) => {
      await sink.write([Buffer.from(content)]);
      entries.push(fileEntry(path, content));
    });
    return { entries, scripts: ['postinst'], metadata: 'Name: toy' };
  };
}

export const TOY_KEY: Digest = digestOf('toy');

/** One after another. */
export async function inOrder<T>(items: Iterable<T>, action: (item: T) => Promise<void>): Promise<void> {
  let last = Promise.resolve();
  for (const item of items) last = last.then(() => action(item));
  await last;
}

/** Runs `store-child.mjs` on the compiled program (`npm run build`); its stdout is text that can be read by lines. */
export function startChild(...args: readonly string[]): ChildProcess {
  const script = join(import.meta.dirname, 'store-child.mjs');
  return spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Exit status, or the name of the signal. */
export async function childEnd(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      resolve(signal ?? status);
    });
  });
}

/** Waits until the child has written its first line. */
export async function childReady(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.stdout?.once('data', (data: Buffer) => {
      resolve(data.toString().trim());
    });
  });
}
