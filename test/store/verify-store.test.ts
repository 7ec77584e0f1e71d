import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { digestOf, hexOf, type Digest } from '../../src/base/digest.ts';
import { packTree } from '../../src/pack/pack-tree.ts';
import { artifactPath } from '../../src/store/artifacts.ts';
import { openContents } from '../../src/store/contents.ts';
import { generationPath, treePath } from '../../src/store/images.ts';
import { putImage } from '../../src/store/put-image.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { Store } from '../../src/store/store.ts';
import { packPath, writeUnpacked } from '../../src/store/unpacked.ts';
import { repairStore, verifyStore } from '../../src/store/verify-store.ts';
import { fileEntry, scratchFolder, scratchStore, treeOf, unpackFiles } from './scratch-store.ts';

const NOBODY = process.getuid?.() === 0 ? 65_534 : (process.getuid?.() ?? 0);
const OPTIONS = { signal: new AbortController().signal, progress: noProgress };
const CONTENTS = ['one', 'two'];
const TREES = CONTENTS.map((content) => treeOf(fileEntry('a', content)));
const KEYS = CONTENTS.map((content) => digestOf(`key ${content}`));
const INPUTS = CONTENTS.map((content) => digestOf(`inputs ${content}`));
const ARTIFACT = digestOf('artifact');

interface Full {
  readonly store: Store;
  readonly diffIds: readonly Digest[];
  readonly folder: string;
}

/** A store with one of everything: an artifact, two generations, the second of them laid out. */
async function fullStore(): Promise<Full> {
  const store = await scratchStore();
  writeFileSync(artifactPath(store, ARTIFACT), 'artifact');
  const diffIds: Digest[] = [];
  let folder = '';
  for (const [index, tree] of TREES.entries()) {
    const key = KEYS[index] ?? digestOf('');
    await writeUnpacked(store, key, unpackFiles({ a: CONTENTS[index] ?? '' }));
    const contents = openContents(store, [key]);
    const hash = createHash('sha256');
    for (const chunk of packTree(tree, contents)) hash.update(chunk);
    contents.close();
    const diffId: Digest = `sha256:${hash.digest('hex')}`;
    diffIds.push(diffId);
    const inputsKey = INPUTS[index] ?? digestOf('');
    const rest = { name: 'toy', architecture: 'amd64', size: 1, manifest: null } as const;
    const image = await putImage(store, { ...rest, diffId, inputsKey, tree, unpackedKeys: [key] });
    folder = await materialiseRootfs(store, image, OPTIONS);
  }
  return { store, diffIds, folder };
}

/** What is wrong, without the path of the store. */
async function faultsOf(store: Store): Promise<readonly string[]> {
  const { faults } = await verifyStore(store, OPTIONS);
  return faults.map(({ message, remedy }) => `${message.replaceAll(`${store.home}/`, '')} → ${remedy}`);
}

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}

describe('verifyStore()', () => {
  it('finds nothing wrong with a sound store, and looks at all of it', async () => {
    const { store } = await fullStore();
    const { faults, leftovers, checked } = await verifyStore(store, OPTIONS);
    expect(faults).toEqual([]);
    expect(leftovers).toEqual([]);
    expect(Object.fromEntries(checked)).toEqual({
      tmp: 1,
      locks: 0,
      partial: 0,
      artifacts: 1,
      unpacked: 2,
      images: 2,
      names: 1,
      inputs: 2,
      rootfs: 2,
      slots: 0,
      refreshes: 0,
      uses: 0,
    });
  });

  it.each<{ what: string; damage: (full: Full) => void; faults: readonly RegExp[] }>([
    {
      what: 'an artifact with other bytes',
      damage: ({ store }) => flipBit(artifactPath(store, ARTIFACT), 3),
      faults: [/^`artifacts\/[0-9a-f]{64}`: does not have the bytes that its name promises → remove$/],
    },
    {
      what: 'a content of an unpacked artifact',
      damage: ({ store }) => flipBit(packPath(store, KEYS[0] ?? ARTIFACT), 1),
      faults: [/^`unpacked\/[0-9a-f]{64}`: content [0-9a-f]{12} is damaged → remove$/],
    },
    {
      what: 'the index of an unpacked artifact',
      damage: ({ store }) => flipBit(packPath(store, KEYS[1] ?? ARTIFACT), 40),
      faults: [/^`unpacked\/[0-9a-f]{64}`: is damaged → remove$/],
    },
    {
      what: 'a tree',
      damage: ({ store, diffIds }) => flipBit(treePath(store, diffIds[1] ?? ARTIFACT), 100),
      faults: [/^`images\/[0-9a-f]{64}`: its checksum is wrong → remove$/],
    },
    {
      what: 'a tree that gives another tar',
      damage: ({ store, diffIds: [first, second] }) =>
        writeFileSync(treePath(store, second ?? ARTIFACT), readFileSync(treePath(store, first ?? ARTIFACT))),
      faults: [/: content [0-9a-f]{12} is missing → remove$/],
    },
    {
      what: 'an unpacked artifact that is gone',
      damage: ({ store }) => KEYS.forEach((key) => unlinkSync(packPath(store, key))),
      faults: [
        /^generation 1 of `toy` for amd64: `unpacked\/[0-9a-f]{64}` is missing → remove$/,
        /^generation 2 of `toy` for amd64: `unpacked\/[0-9a-f]{64}` is missing → build$/,
      ],
    },
    {
      what: 'the record of the current generation',
      damage: ({ store }) => flipBit(generationPath(store, 'toy', { architecture: 'amd64', number: 2 }), 0),
      faults: [
        /^`names\/toy\/amd64\/2\.json`: .+ → remove$/,
        /^`names\/toy\/amd64\/current`: leads to no sound generation: 2\.json → remove$/,
        /^`inputs\/[0-9a-f]{64}`: .+ → remove$/,
      ],
    },
    {
      what: 'a current link that leads to nothing',
      damage: ({ store }) => {
        rmSync(store.path('names', 'toy', 'amd64', 'current'));
        symlinkSync('7.json', store.path('names', 'toy', 'amd64', 'current'));
      },
      faults: [/^`names\/toy\/amd64\/current`: leads to no sound generation: 7\.json → remove$/],
    },
    {
      what: 'a link of inputs to another generation',
      damage: ({ store }) => {
        const path = store.path('inputs', hexOf(INPUTS[0] ?? ARTIFACT));
        rmSync(path);
        symlinkSync('../names/toy/amd64/2.json', path);
      },
      faults: [/^`inputs\/[0-9a-f]{64}`: leads to another image: \.\.\/names\/toy\/amd64\/2\.json → remove$/],
    },
    {
      what: 'a file that cells see',
      damage: ({ folder }) => flipBit(join(folder, 'a'), 0),
      faults: [
        /^`rootfs\/[0-9a-f]{64}\.[0-9a-f-]{36}\/a`: has another time → remove$/,
        /rootfs.*: has other bytes → remove$/,
      ],
    },
    {
      what: 'a folder for cells of no image',
      damage: ({ store }) => mkdirSync(store.path('rootfs', 'f'.repeat(64))),
      faults: [/^`rootfs\/f{64}`: is of no image → remove$/],
    },
    {
      what: 'things that are not ours',
      damage: ({ store }) => {
        writeFileSync(store.path('artifacts', 'thesis.txt'), '');
        writeFileSync(store.path('names', 'toy', 'notes'), '');
        mkdirSync(store.path('artifacts', 'e'.repeat(64)));
      },
      faults: [
        /^`artifacts\/thesis\.txt`: is nothing that a store has → move$/,
        /^`artifacts\/e{64}`: is no file → move$/,
        /^`names\/toy\/notes`: is nothing that a store has → move$/,
      ],
    },
  ])('finds $what', async ({ damage, faults }) => {
    const full = await fullStore();
    damage(full);
    const found = await faultsOf(full.store);
    expect(found).toHaveLength(faults.length);
    expect(found).toEqual(expect.arrayContaining(faults.map((fault): unknown => expect.stringMatching(fault))));
  });

  it('tells of leftovers, which the next command that writes removes', async () => {
    const { store } = await fullStore();
    await store.close();
    mkdirSync(store.path('tmp', 'dead'));
    writeFileSync(store.path('tmp', 'dead', 'half'), '');
    writeFileSync(store.path('locks', 'artifact-dead'), '');
    writeFileSync(store.path('partial', `${'a'.repeat(64)}.from`), '');
    const living = await Store.open({ home: store.home });
    onTestFinished(() => living.close());
    const { faults, leftovers } = await verifyStore(living, OPTIONS);
    expect(faults).toEqual([]);
    expect(leftovers.map((path) => path.slice(store.home.length + 1))).toEqual([
      'tmp/dead',
      'locks/artifact-dead',
      `partial/${'a'.repeat(64)}.from`,
    ]);
    await living.temporaryPath();
    expect(readdirSync(store.path('tmp'))).toHaveLength(1);
    expect(readdirSync(store.path('locks'))).toEqual([]);
    expect(readdirSync(store.path('partial'))).toEqual([]);
    expect((await verifyStore(living, OPTIONS)).leftovers).toEqual([]);
  });

  it('sweeps folders into which their owner may not write', async () => {
    const home = await scratchFolder();
    const folder = join(home, 'tmp', 'dead', 'rootfs', 'usr');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'file'), '');
    chmodSync(folder, 0o555);
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, home]);
    const module = JSON.stringify(new URL('../../dist/store/leftovers.js', import.meta.url).href);
    const code = `(await import(${module})).findLeftovers(process.argv[1], { remove: true })`;
    const own = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    execFileSync(process.execPath, ['--input-type=module', '-e', code, home], { cwd: '/', ...own });
    expect(existsSync(join(home, 'tmp', 'dead'))).toBe(false);
  });
});

describe('repairStore()', () => {
  it('removes what is damaged, so that a build makes it anew, and leaves the rest', async () => {
    const { store, diffIds } = await fullStore();
    flipBit(artifactPath(store, ARTIFACT), 0);
    flipBit(packPath(store, KEYS[1] ?? ARTIFACT), 1);
    writeFileSync(store.path('artifacts', 'thesis.txt'), 'years of work');
    const left = repairStore((await verifyStore(store, OPTIONS)).faults);
    expect(left.map(({ remedy }) => remedy)).toEqual(['move']);
    expect(readdirSync(store.path('artifacts'))).toEqual(['thesis.txt']);
    unlinkSync(store.path('artifacts', 'thesis.txt'));
    expect((await faultsOf(store)).map((fault) => fault.replace(/`unpacked.*`/, ''))).toEqual([
      'generation 2 of `toy` for amd64:  is missing → build',
    ]);
    const again = await Store.open({ home: store.home });
    onTestFinished(() => again.close());
    await writeUnpacked(again, KEYS[1] ?? ARTIFACT, unpackFiles({ a: 'two' }));
    expect(await faultsOf(again)).toEqual([]);
    expect(existsSync(treePath(again, diffIds[1] ?? ARTIFACT))).toBe(true);
  });
});
