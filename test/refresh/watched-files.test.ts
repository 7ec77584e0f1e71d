import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchFiles, type WatchedFiles } from '../../src/refresh/watched-files.ts';

let folder: string;
let watched: WatchedFiles;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rootcellar-watched-'));
  watched = watchFiles();
  writeFileSync(path('a'), 'one');
  await watched.follow([path('a'), path('none')]);
});
afterEach(() => rmSync(folder, { recursive: true }));

function path(name: string): string {
  return join(folder, name);
}

/** What the next looks say. */
async function looks(count: number): Promise<readonly boolean[]> {
  const said: boolean[] = [];
  for (let index = 0; index < count; index += 1) said.push(await watched.areEdited());
  return said;
}

describe('watchFiles()', () => {
  it('tells an edit once, when it has come to rest', async () => {
    expect(await looks(2)).toEqual([false, false]);
    writeFileSync(path('a'), 'two half');
    expect(await looks(1)).toEqual([false]);
    writeFileSync(path('a'), 'two halves');
    expect(await looks(4)).toEqual([false, true, false, false]);
  });

  it.each([
    ['a rename', () => (writeFileSync(path('b'), 'one'), renameSync(path('b'), path('a')))],
    ['a removal', () => rmSync(path('a'))],
    ['a file that was not there', () => writeFileSync(path('none'), '')],
  ])('sees %s', async (_, edit) => {
    edit();
    expect(await looks(3)).toEqual([false, true, false]);
  });

  it('says nothing of what is undone before anybody could have read it', async () => {
    writeFileSync(path('none'), '');
    expect(await looks(1)).toEqual([false]);
    rmSync(path('none'));
    expect(await looks(3)).toEqual([false, false, false]);
  });

  it('sees that a link to a folder is turned, as Kubernetes does with a ConfigMap', async () => {
    for (const name of ['v1', 'v2']) {
      renameSync(path('a'), path(name));
      writeFileSync(path('a'), 'one');
    }
    rmSync(path('a'));
    const [first, second] = ['data1', 'data2'].map(path);
    if (first === undefined || second === undefined) throw new Error('unreachable');
    for (const data of [first, second]) symlinkSync(path(data === first ? 'v1' : 'v2'), data);
    symlinkSync(first, path('..data'));
    symlinkSync('..data', path('a'));
    watched = watchFiles();
    await watched.follow([path('a')]);
    symlinkSync(second, path('..new'));
    renameSync(path('..new'), path('..data'));
    expect(await looks(3)).toEqual([false, true, false]);
  });

  it('takes a file that is made in a folder for no edit of it, and another folder for one', async () => {
    watched = watchFiles();
    symlinkSync(folder, `${folder}-link`);
    await watched.follow([`${folder}-link`]);
    writeFileSync(path('recipe.lock.json'), '{}');
    expect(await looks(2)).toEqual([false, false]);
    rmSync(`${folder}-link`);
    symlinkSync(tmpdir(), `${folder}-link`);
    expect(await looks(2)).toEqual([false, true]);
    rmSync(`${folder}-link`);
  });

  it('follows other files without telling of those that it did not follow before', async () => {
    writeFileSync(path('b'), 'x');
    await watched.follow([path('a'), path('b')]);
    expect(await looks(2)).toEqual([false, false]);
    writeFileSync(path('a'), 'edited while others are added');
    await watched.follow([path('a')]);
    expect(await looks(2)).toEqual([false, true]);
  });
});
