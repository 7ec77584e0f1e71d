import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { noProgress } from '../../src/base/progress.ts';
import type { ProgressEvent } from '../../src/base/progress.ts';
import { openContents } from '../../src/store/contents.ts';
import type { Image } from '../../src/store/image-record.ts';
import { putImage } from '../../src/store/put-image.ts';
import { materialisePaths, materialiseRootfs, temporaryFolder } from '../../src/store/rootfs-folder.ts';
import type { Store } from '../../src/store/store.ts';
import { packPath, writeUnpacked } from '../../src/store/unpacked.ts';
import type { Entry } from '../../src/assemble/tree.ts';
import {
  directoryEntry,
  fileEntry,
  hardLinkEntry,
  scratchStore,
  symlinkEntry,
  TOY_KEY,
  treeOf,
  unpackFiles,
} from './scratch-store.ts';

async function toyImage(store: Store, ...entries: readonly Entry[]): Promise<Image> {
  await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one', b: 'two', empty: '' }));
  return putImage(store, {
    name: 'toy',
    architecture: 'amd64',
    diffId: digestOf('tar'),
    size: 1,
    inputsKey: digestOf('inputs'),
    manifest: null,
    tree: treeOf(...entries),
    unpackedKeys: [TOY_KEY],
  });
}

describe('materialiseRootfs()', () => {
  it('makes every entry with its mode, time, target and content', async () => {
    const store = await scratchStore();
    const image = await toyImage(
      store,
      directoryEntry('bin', 0o555),
      fileEntry('bin/a', 'one', 0o751),
      hardLinkEntry('bin/b', 'bin/a'),
      directoryEntry('tmp', 0o1777),
      fileEntry('empty', '', 0o400),
      symlinkEntry('dangling', '/nowhere'),
    );
    const folder = await materialiseRootfs(store, image, { progress: noProgress });
    const at = (path: string): string => join(folder, path);
    expect(readFileSync(at('bin/a'), 'utf8')).toBe('one');
    expect(statSync(at('bin/a')).mode & 0o7777).toBe(0o751);
    expect(statSync(at('bin')).mode & 0o7777).toBe(0o555);
    expect(statSync(at('tmp')).mode & 0o7777).toBe(0o1777);
    expect(statSync(folder).mode & 0o7777).toBe(0o755);
    expect(statSync(at('bin/b')).ino).toBe(statSync(at('bin/a')).ino);
    expect(readlinkSync(at('dangling'))).toBe('/nowhere');
    const times = ['bin', 'bin/a', 'tmp', 'empty', 'dangling'].map((path) => lstatSync(at(path)).mtimeMs);
    expect(times).toEqual([1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000]);
  });

  it('makes it once, and tells how far it is', async () => {
    const store = await scratchStore();
    const image = await toyImage(store, fileEntry('a', 'one'), fileEntry('b', 'two'));
    const events: ProgressEvent[] = [];
    const progress = (event: ProgressEvent): void => void events.push(event);
    const options = { progress };
    const folders = await Promise.all([
      materialiseRootfs(store, image, options),
      materialiseRootfs(store, image, options),
    ]);
    expect(folders[0]).toBe(folders[1]);
    expect(events).toEqual([
      { kind: 'begin', step: 'store', title: 'laying out toy', total: { items: 2, bytes: 6 } },
      { kind: 'advance', step: 'store', done: { items: 2, bytes: 6 } },
      { kind: 'end', step: 'store', summary: '2 files' },
    ]);
  });

  it('writes nothing outside, and nothing at all, for a tree that leads through a symlink', async () => {
    const store = await scratchStore();
    const outside = await temporaryFolder(store);
    const image = await toyImage(store, symlinkEntry('lib', outside), fileEntry('lib/evil', 'one'));
    const made = materialiseRootfs(store, image, { progress: noProgress });
    await expect(made).rejects.toMatchObject({ code: 'E_ROOTFS_UNSAFE' });
    expect(readdirSync(outside)).toEqual([]);
    expect(readdirSync(store.path('rootfs'))).toEqual([]);
  });

  it('gives no name to a folder with a damaged content', async () => {
    const store = await scratchStore();
    const image = await toyImage(store, fileEntry('a', 'one'));
    writeFileSync(packPath(store, TOY_KEY), 'X', { flag: 'r+' });
    const made = materialiseRootfs(store, image, { progress: noProgress });
    await expect(made).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
    expect(readdirSync(store.path('rootfs'))).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const store = await scratchStore();
    const entries = Array.from({ length: 600 }, (_, index) => fileEntry(`f${index}`, 'one'));
    const image = await toyImage(store, ...entries);
    const stop = new AbortController();
    const progress = (event: ProgressEvent): void => {
      if (event.kind === 'advance') stop.abort();
    };
    const made = materialiseRootfs(store, image, { progress, signal: stop.signal });
    await expect(made).rejects.toMatchObject({ code: 'E_CANCELLED' });
    expect(readdirSync(store.path('rootfs'))).toEqual([]);
  });

  it('does not trust what an earlier boot made before it has compared it', async () => {
    const store = await scratchStore();
    const image = await toyImage(store, fileEntry('a', 'one'), fileEntry('b', 'two'));
    const hex = image.diffId.slice(7);
    const first = await materialiseRootfs(store, image, { progress: noProgress, boot: 'first' });
    expect(first).toBe(store.path('rootfs', `${hex}.first`));
    truncateSync(join(first, 'b'), 0);
    expect(await materialiseRootfs(store, image, { progress: noProgress, boot: 'first' })).toBe(first);
    const second = await materialiseRootfs(store, image, { progress: noProgress, boot: 'second' });
    expect(readdirSync(store.path('rootfs'))).toEqual([`${hex}.second`]);
    expect(readFileSync(join(second, 'b'), 'utf8')).toBe('two');
  });

  it('trusts for good what a later boot has read back whole', async () => {
    const store = await scratchStore();
    const image = await toyImage(store, fileEntry('a', 'one'));
    const first = await materialiseRootfs(store, image, { progress: noProgress, boot: 'first' });
    const { ino } = statSync(first);
    const second = await materialiseRootfs(store, image, { progress: noProgress, boot: 'second' });
    expect(second).toBe(store.path('rootfs', image.diffId.slice(7)));
    expect(statSync(second).ino).toBe(ino);
    expect(await materialiseRootfs(store, image, { progress: noProgress, boot: 'third' })).toBe(second);
  });

  it('syncs where the boot is not known, and trusts that for good', async () => {
    const store = await scratchStore();
    const image = await toyImage(store, fileEntry('a', 'one'));
    const folder = await materialiseRootfs(store, image, { progress: noProgress, boot: '' });
    expect(folder).toBe(store.path('rootfs', image.diffId.slice(7)));
    expect(await materialiseRootfs(store, image, { progress: noProgress, boot: 'later' })).toBe(folder);
  });
});

describe('materialisePaths()', () => {
  it('makes just the paths and what leads there', async () => {
    const store = await scratchStore();
    await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one', b: 'two' }));
    const contents = openContents(store, [TOY_KEY]);
    const folder = join(await temporaryFolder(store), 'root');
    const tree = treeOf(
      directoryEntry('d'),
      fileEntry('d/a', 'one'),
      hardLinkEntry('d/z', 'd/a'),
      fileEntry('b', 'two'),
    );
    await materialisePaths(contents, { tree, paths: ['d/z'], folder });
    expect(readdirSync(folder, { recursive: true })).toEqual(['d', 'd/z']);
    expect(readFileSync(join(folder, 'd/z'), 'utf8')).toBe('one');
    contents.close();
  });
});
