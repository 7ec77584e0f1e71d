import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { openFileMemory } from '../../src/store/file-memory.ts';
import { scratchStore } from './scratch-store.ts';

const DIGEST = digestOf('x');
const NOW = 1_000_000;
const FILE = { path: '/etc/x', digest: DIGEST, stamp: '1:2:3', changedMs: (NOW - 10) * 1000 };

describe('openFileMemory()', () => {
  it('knows a file as long as its inode is the same, also in the next process', async () => {
    const store = await scratchStore();
    const path = join(store.home, 'cache/files.json');
    const memory = await openFileMemory(store, { path, now: NOW });
    memory.remember(FILE);
    await memory.save();
    const again = await openFileMemory(store, { path, now: NOW });
    expect(again.digestOf('/etc/x', '1:2:3')).toBe(DIGEST);
    expect(again.digestOf('/etc/x', '1:2:4')).toBeUndefined();
    expect(again.digestOf('/etc/y', '1:2:3')).toBeUndefined();
  });

  it.each([0, 2, -100])('does not trust a file that changed %i s before it was read', async (seconds) => {
    const store = await scratchStore();
    const path = join(store.home, 'cache/files.json');
    const memory = await openFileMemory(store, { path, now: NOW });
    memory.remember({ ...FILE, changedMs: (NOW - seconds) * 1000 });
    expect(memory.digestOf('/etc/x', '1:2:3')).toBeUndefined();
  });

  it.each(['', '{', '{"files":[["/etc/x","1:2:3","not a digest"]]}', '{"files":7}'])(
    'is empty when it is damaged: %s',
    async (text) => {
      const store = await scratchStore();
      const path = join(store.home, 'files.json');
      await writeFile(path, text);
      const memory = await openFileMemory(store, { path, now: NOW });
      expect(memory.digestOf('/etc/x', '1:2:3')).toBeUndefined();
      memory.remember(FILE);
      await memory.save();
      expect(await readFile(path, 'utf8')).toContain('1:2:3');
    },
  );
});
