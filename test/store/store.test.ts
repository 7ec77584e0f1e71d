import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { childEnd, childReady, scratchFolder, scratchStore, startChild } from './scratch-store.ts';

describe('Store.open()', () => {
  it('makes a store where nothing is, and opens it again', async () => {
    const home = join(await scratchFolder(), 'a', 'b');
    const made = await Store.open({ home });
    await made.close();
    const text = readFileSync(join(home, 'rootcellar-store.json'), 'utf8');
    expect(text).toBe('{"layout":1}\n');
    await Store.open({ home });
    expect(readdirSync(join(home, 'tmp'))).toEqual([]);
  });

  it('lets no other user look into private folders', async () => {
    const store = await scratchStore();
    expect(statSync(store.path('artifacts')).mode & 0o777).toBe(0o700);
    expect(statSync(store.path('rootfs')).mode & 0o777).toBe(0o700);
    expect(statSync(store.path('tmp')).mode & 0o777).toBe(0o711);
  });

  it('finishes a store whose making was interrupted', async () => {
    const home = await scratchFolder();
    mkdirSync(join(home, 'artifacts'));
    mkdirSync(join(home, 'lost+found'));
    mkdirSync(join(home, 'cache'));
    const store = await Store.open({ home });
    expect(existsSync(store.path('names'))).toBe(true);
    await store.close();
  });

  it('refuses a store of a newer version and leaves it alone', async () => {
    const home = await scratchFolder();
    writeFileSync(join(home, 'rootcellar-store.json'), '{"layout":2,"more":true}\n');
    await expect(Store.open({ home })).rejects.toMatchObject({ code: 'E_STORE_NEWER' });
    expect(readdirSync(home)).toEqual(['rootcellar-store.json']);
  });

  it.each(['', '[1]', '{"layout":0}', '{"version":99}'])('never has the layout file %j removed', async (text) => {
    const home = await scratchFolder();
    writeFileSync(join(home, 'rootcellar-store.json'), text);
    await expect(Store.open({ home })).rejects.toMatchObject({
      code: text.includes('version') ? 'E_STORE_NEWER' : 'E_STORE_INVALID',
      hint: expect.stringMatching(/^npm install --global rootcellar@latest, or /),
    });
    expect(readdirSync(home)).toEqual(['rootcellar-store.json']);
  });

  it('refuses a path that is too long', async () => {
    const folder = await scratchFolder();
    for (const home of [join(folder, 'n'.repeat(300)), join(folder, 'n/'.repeat(3000))]) {
      await expect(Store.open({ home })).rejects.toMatchObject({
        code: 'E_STORE_INVALID',
        message: expect.stringMatching(/^store `.{1,200}…`: its path is too long$/),
      });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses a folder that holds other things and leaves it alone', async () => {
    const home = await scratchFolder();
    writeFileSync(join(home, 'thesis.txt'), 'years of work');
    await expect(Store.open({ home })).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
    expect(readdirSync(home)).toEqual(['thesis.txt']);
  });

  it.each(['', '{}', '{"layout":0}', '{"layout":"1"}', '[1]'])('refuses the layout file %j', async (text) => {
    const home = await scratchFolder();
    writeFileSync(join(home, 'rootcellar-store.json'), text);
    await expect(Store.open({ home })).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });

  it('refuses a file', async () => {
    const home = join(await scratchFolder(), 'file');
    writeFileSync(home, '');
    await expect(Store.open({ home })).rejects.toMatchObject({ code: 'E_STORE_INVALID' });
  });

  it('takes no link for one of its folders, and leaves alone where it leads', async () => {
    const folder = await scratchFolder();
    const [home, elsewhere] = [join(folder, 'home'), join(folder, 'elsewhere')];
    mkdirSync(join(elsewhere, 'precious'), { recursive: true });
    chmodSync(elsewhere, 0o750);
    const fault = { code: 'E_STORE_INVALID', message: expect.stringContaining('is a link') };
    mkdirSync(home);
    symlinkSync(elsewhere, join(home, 'tmp'));
    await expect(Store.open({ home })).rejects.toMatchObject(fault);
    unlinkSync(join(home, 'tmp'));
    await (await Store.open({ home })).close();
    for (const name of ['tmp', 'names', 'locks', 'cache']) {
      rmSync(join(home, name), { recursive: true, force: true });
      symlinkSync(elsewhere, join(home, name));
      await expect(Store.open({ home }), name).rejects.toMatchObject(fault);
      unlinkSync(join(home, name));
    }
    expect(statSync(elsewhere).mode & 0o777).toBe(0o750);
    expect(readdirSync(elsewhere)).toEqual(['precious']);
    // The way to it may have links.
    symlinkSync(home, join(folder, 'way'));
    const store = await Store.open({ home: join(folder, 'way') });
    expect(existsSync(dirname(await store.temporaryPath()))).toBe(true);
    await store.close();
  });

  it.skipIf(process.geteuid?.() !== 0)('is not used by root when its folders are of another user', async () => {
    const folder = await scratchFolder();
    const home = join(folder, 'home');
    await (await Store.open({ home })).close();
    // What root made is root's, in whosesoever folder it is.
    for (const path of [folder, home]) chownSync(path, 65534, 65534);
    await (await Store.open({ home })).close();
    chownSync(join(home, 'unpacked'), 65534, 65534);
    await expect(Store.open({ home })).rejects.toThrow('is of the user 65534, and not of root');
  });

  it('makes one store when several processes come at once', async () => {
    const home = join(await scratchFolder(), 'home');
    const ends = await Promise.all(Array.from({ length: 4 }, () => childEnd(startChild('open', home))));
    expect(ends).toEqual([0, 0, 0, 0]);
  });
});

describe('Store.temporaryPath()', () => {
  it('sweeps what a killed process left and spares what a living one has', async () => {
    const home = join(await scratchFolder(), 'home');
    const [dead, living] = [startChild('hold', home), startChild('hold', home)];
    const [deadFile, livingFile] = await Promise.all([childReady(dead), childReady(living)]);
    const deadEnd = childEnd(dead);
    dead.kill('SIGKILL');
    expect(await deadEnd).toBe('SIGKILL');
    expect(existsSync(deadFile)).toBe(true);

    const store = await Store.open({ home });
    await store.temporaryPath();
    expect(existsSync(deadFile)).toBe(false);
    expect(readFileSync(livingFile, 'utf8')).toBe('half');
    await store.close();

    const livingEnd = childEnd(living);
    living.stdin?.end();
    expect(await livingEnd).toBe(0);
    expect(readdirSync(join(home, 'tmp'))).toEqual([]);
  });

  it('works again once what hindered it is gone', async () => {
    const store = await Store.open({ home: join(await scratchFolder(), 'home') });
    await store.close();
    rmdirSync(store.path('tmp'));
    writeFileSync(store.path('tmp'), '');
    await expect(store.temporaryPath()).rejects.toThrow('parts of it are missing or replaced');
    unlinkSync(store.path('tmp'));
    mkdirSync(store.path('tmp'));
    expect(existsSync(dirname(await store.temporaryPath()))).toBe(true);
    await store.close();
  });

  it('gives each caller its own name', async () => {
    const store = await scratchStore();
    const paths = await Promise.all(Array.from({ length: 20 }, () => store.temporaryPath()));
    expect(new Set(paths).size).toBe(20);
    expect(readdirSync(store.path('tmp'))).toHaveLength(1);
  });
});
