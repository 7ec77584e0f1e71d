import { createHash } from 'node:crypto';
import { chmodSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { digestOf } from '../../src/base/digest.ts';
import type { Digest } from '../../src/base/digest.ts';
import { packTree } from '../../src/pack/pack-tree.ts';
import { openContents } from '../../src/store/contents.ts';
import type { Image } from '../../src/store/image-record.ts';
import { treePath } from '../../src/store/images.ts';
import { putImage } from '../../src/store/put-image.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { Store } from '../../src/store/store.ts';
import { packPath, writeUnpacked } from '../../src/store/unpacked.ts';
import { verifyImage } from '../../src/store/verify-image.ts';
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

const TREE = treeOf(
  directoryEntry('bin'),
  fileEntry('bin/a', 'one', 0o755),
  hardLinkEntry('bin/b', 'bin/a'),
  fileEntry('bin/c', 'two'),
  symlinkEntry('sbin', 'bin'),
);

interface Laid {
  readonly store: Store;
  readonly image: Image;
  readonly folder: string;
}

async function laidOut(): Promise<Laid> {
  const store = await scratchStore();
  await writeUnpacked(store, TOY_KEY, unpackFiles({ a: 'one', b: 'two' }));
  const contents = openContents(store, [TOY_KEY]);
  const hash = createHash('sha256');
  for (const chunk of packTree(TREE, contents)) hash.update(chunk);
  contents.close();
  const diffId: Digest = `sha256:${hash.digest('hex')}`;
  const image = await putImage(store, {
    name: 'toy',
    architecture: 'amd64',
    diffId,
    size: 1,
    inputsKey: digestOf('inputs'),
    manifest: null,
    tree: TREE,
    unpackedKeys: [TOY_KEY],
  });
  return { store, image, folder: await materialiseRootfs(store, image, { progress: noProgress }) };
}

describe('verifyImage()', () => {
  it('finds nothing wrong with a sound image', async () => {
    const { store, image, folder } = await laidOut();
    expect(await verifyImage(store, image)).toEqual([]);
    rmSync(folder, { recursive: true });
    expect(await verifyImage(store, image)).toEqual([]);
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    ['other bytes', (folder) => rewritten(join(folder, 'bin/c'), 'tow'), /bin\/c`: has other bytes/],
    ['another mode', (folder) => chmodSync(join(folder, 'bin/c'), 0o666), /bin\/c`: has mode 666/],
    ['a missing file', (folder) => unlinkSync(join(folder, 'bin/c')), /bin\/c`: is missing/],
    ['an extra file', (folder) => extra(join(folder, 'bin')), /bin\/extra`: is not of the image/],
    ['another link target', (folder) => relinked(join(folder, 'sbin'), 'etc'), /sbin`: has another t/],
    ['a file for a link', (folder) => relinked(join(folder, 'bin/c'), 'a'), /bin\/c`: is no file/],
    ['a parted hard link', (folder) => parted(join(folder, 'bin/b')), /bin\/b`: is not one with `\/bin\/a`/],
  ])('finds %s in the folder', async (_, damage, fault) => {
    const { store, image, folder } = await laidOut();
    damage(folder);
    const faults = await verifyImage(store, image);
    expect(faults.join('\n')).toMatch(fault);
  });

  it('finds a changed content of an unpacked artifact', async () => {
    const { store, image } = await laidOut();
    writeFileSync(packPath(store, TOY_KEY), 'X', { flag: 'r+' });
    expect(await verifyImage(store, image)).toEqual([expect.stringMatching(/content 7692c3ad3540 is damaged/)]);
  });

  it('finds an unpacked artifact missing', async () => {
    const { store, image } = await laidOut();
    unlinkSync(packPath(store, TOY_KEY));
    const faults = await verifyImage(await Store.open({ home: store.home }), image);
    expect(faults).toEqual([expect.stringMatching(/is missing/)]);
  });

  it('finds a tree that gives another tar', async () => {
    const { store, image } = await laidOut();
    const other = await putImage(store, { ...image, tree: treeOf(fileEntry('x', 'one')), unpackedKeys: [TOY_KEY] });
    expect((await verifyImage(store, other)).join('\n')).toMatch(/its files give/);
  });

  it('finds a damaged tree', async () => {
    const { store, image } = await laidOut();
    writeFileSync(treePath(store, image.diffId), 'junk');
    expect(await verifyImage(store, image)).toEqual([expect.stringMatching(/is damaged/)]);
  });
});

/** Same size, same time. */
function rewritten(path: string, text: string): void {
  writeFileSync(path, text);
  utimesSync(path, 1000, 1000);
}

function extra(folder: string): void {
  writeFileSync(join(folder, 'extra'), '');
  utimesSync(folder, 1000, 1000);
}

function relinked(path: string, target: string): void {
  unlinkSync(path);
  symlinkSync(target, path);
}

function parted(path: string): void {
  unlinkSync(path);
  writeFileSync(path, 'one');
}
