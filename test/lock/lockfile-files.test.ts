import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lockfilePath, readLockfile, writeLockfile } from '../../src/lock/lockfile-files.ts';
import { formatLockfile } from '../../src/lock/lockfile-text.ts';
import { pinResolution } from '../../src/lock/pin.ts';
import { TOY_RECIPE, TOY_RESOLUTION, toyDigest, withDiffId } from './toy-recipe.ts';

const LOCK = pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION });
const made: string[] = [];

afterEach(async () => {
  await Promise.all(made.splice(0).map(async (folder) => await rm(folder, { recursive: true })));
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockfile-files-'));
  made.push(folder);
  return folder;
}

it('lockfilePath() is beside the recipe', () => {
  expect(lockfilePath({ file: '/a/recipe.yaml' })).toBe('/a/recipe.lock.json');
  expect(lockfilePath({ file: '/a/web.yml' })).toBe('/a/web.lock.json');
});

describe('readLockfile()', () => {
  it('gives undefined only where there is no file', async () => {
    const folder = await newFolder();
    expect(await readLockfile(join(folder, 'none'))).toBeUndefined();
    await expect(readLockfile(folder)).rejects.toMatchObject({ code: 'E_LOCK_INVALID' });
  });

  it('refuses FIFOs, large files and what is no UTF-8', async () => {
    const folder = await newFolder();
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    await writeFile(join(folder, 'large'), '');
    await truncate(join(folder, 'large'), 100 * 1024 ** 3);
    await writeFile(join(folder, 'latin1'), Buffer.from([0xe9]));
    await expect(readLockfile(join(folder, 'fifo'))).rejects.toMatchObject({
      message: expect.stringContaining('is not a regular file'),
    });
    await expect(readLockfile(join(folder, 'large'))).rejects.toMatchObject({
      message: expect.stringContaining('is larger than 64 MiB'),
    });
    await expect(readLockfile(join(folder, 'latin1'))).rejects.toMatchObject({
      message: expect.stringContaining('is not UTF-8'),
    });
  });
});

describe('writeLockfile()', () => {
  it('writes what readLockfile() reads, and leaves nothing else', async () => {
    const folder = await newFolder();
    const path = join(folder, 'recipe.lock.json');
    await writeLockfile(path, LOCK);
    expect(await readFile(path, 'utf8')).toBe(formatLockfile(LOCK));
    expect(await readLockfile(path)).toStrictEqual(LOCK);
    expect(await readdir(folder)).toEqual(['recipe.lock.json']);
  });

  it('does not touch a file that has the same bytes, and replaces another', async () => {
    const path = join(await newFolder(), 'recipe.lock.json');
    await writeLockfile(path, LOCK);
    const first = await stat(path);
    await writeLockfile(path, LOCK);
    expect((await stat(path)).ino).toBe(first.ino);
    const built = withDiffId(LOCK, toyDigest('e'));
    await writeLockfile(path, built);
    expect((await stat(path)).ino).not.toBe(first.ino);
    expect(await readLockfile(path)).toStrictEqual(built);
  });

  it('refuses to write through a symbolic link', async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'target'), 'keep');
    await symlink('target', join(folder, 'link'));
    await expect(writeLockfile(join(folder, 'link'), LOCK)).rejects.toMatchObject({ code: 'E_LOCK_WRITE' });
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('keep');
    expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true);
  });

  it('refuses a folder in the place of the file', async () => {
    const folder = await newFolder();
    await mkdir(join(folder, 'x'));
    await expect(writeLockfile(join(folder, 'x'), LOCK)).rejects.toMatchObject({ code: 'E_LOCK_WRITE' });
  });

  it('says that a folder does not exist', async () => {
    const folder = await newFolder();
    await expect(writeLockfile(join(folder, 'none/x'), LOCK)).rejects.toMatchObject({ code: 'E_LOCK_WRITE' });
  });
});
