import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkDestinations, receiveOutputs } from '../../src/run/output-files.ts';
import { workplace } from '../support/command.ts';
import { DATA, DONE, END, FAULT, FILE, FOLDER, frame } from './frames.ts';

async function* streamed(...frames: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.concat(frames);
  // In pieces that end anywhere.
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}

function file(name: string | Buffer, content: string, detail = 0o644, request = 0): Buffer {
  return Buffer.concat([
    frame(FILE, { request, name, detail }),
    frame(DATA, { request, content }),
    frame(END, { request }),
  ]);
}

const ROOT = frame(FOLDER, { detail: 0o700 });

describe('receiveOutputs()', () => {
  it('puts files and folders into their places', async () => {
    await using work = await workplace();
    const requests = [
      { path: 'out', to: work.path('folder') },
      { path: 'one', to: work.path('renamed') },
    ];
    const inner = frame(FOLDER, { detail: 0o755, name: 'sub' });
    const frames = [ROOT, file('a', '1'), inner, file('sub/b', '22'), file('', '333', 0o644, 1), frame(DONE)];
    expect(await receiveOutputs(streamed(...frames), requests)).toEqual([
      { path: 'out/a', bytes: 1 },
      { path: 'out/sub/b', bytes: 2 },
      { path: 'one', bytes: 3 },
    ]);
    expect(readdirSync(work.folder).toSorted()).toEqual(['folder', 'renamed']);
    expect(readFileSync(work.path('folder/sub/b'), 'utf8')).toBe('22');
    expect(readFileSync(work.path('renamed'), 'utf8')).toBe('333');
  });

  it('keeps of a mode only whether its owner may execute it', async () => {
    await using work = await workplace();
    const frames = [ROOT, file('a', '', 0o7777), file('b', '', 0o6666), file('c', '', 0), frame(DONE)];
    await receiveOutputs(streamed(...frames), [{ path: 'o', to: work.path('o') }]);
    expect(['a', 'b', 'c'].map((name) => statSync(work.path('o', name)).mode & 0o7777)).toEqual([0o755, 0o644, 0o644]);
    expect(statSync(work.path('o')).mode & 0o7777).toBe(0o755);
  });

  it('replaces a file and a link, and follows no link', async () => {
    await using work = await workplace();
    await work.write({ old: 'old', kept: 'kept' });
    symlinkSync('kept', work.path('link'));
    const requests = ['old', 'link'].map((path) => ({ path, to: work.path(path) }));
    await receiveOutputs(streamed(file('', 'new'), file('', 'new', 0o644, 1), frame(DONE)), requests);
    expect(['old', 'link', 'kept'].map((name) => readFileSync(work.path(name), 'utf8'))).toEqual([
      'new',
      'new',
      'kept',
    ]);
    expect(lstatSync(work.path('link')).isFile()).toBe(true);
  });

  it('tells names that are not UTF-8 exactly', async () => {
    await using work = await workplace();
    const name = Buffer.from('a\xff\n', 'latin1');
    const files = await receiveOutputs(streamed(ROOT, file(name, 'x'), frame(DONE)), [
      { path: 'o', to: work.path('o') },
    ]);
    expect(files).toEqual([
      { path: 'o/a\ufffd\n', path_base64: Buffer.from('o/a\xff\n', 'latin1').toString('base64'), bytes: 1 },
    ]);
    expect(readdirSync(work.path('o'), { encoding: 'buffer' })).toEqual([name]);
  });

  it('leaves nothing of a file with a fault', async () => {
    await using work = await workplace();
    const requests = ['a', 'o'].map((path) => ({ path, to: work.path(path) }));
    const fault = frame(FAULT, { detail: 4 });
    const inner = frame(FAULT, { detail: 8, name: 'x', request: 1 });
    const open = [frame(FILE, { name: 'x', request: 1 }), frame(DATA, { content: 'half', request: 1 })];
    const frames = [
      frame(FILE),
      frame(DATA, { content: 'half' }),
      fault,
      frame(FOLDER, { request: 1 }),
      ...open,
      inner,
    ];
    expect(await receiveOutputs(streamed(...frames, frame(DONE)), requests)).toEqual([
      { path: 'a', bytes: 0, error: 'too-large' },
      { path: 'o/x', bytes: 0, error: 'unreadable' },
    ]);
    expect(readdirSync(work.folder)).toEqual(['o']);
    expect(readdirSync(work.path('o'))).toEqual([]);
  });

  it('counts what was not received whole as not taken, and leaves nothing of it', async () => {
    await using work = await workplace();
    const requests = ['a', 'b', 'c'].map((path) => ({ path, to: work.path(path) }));
    const frames = [file('', 'whole'), frame(FOLDER, { request: 1 }), file('x', '1', 0o644, 1)];
    expect(await receiveOutputs(streamed(...frames), requests)).toEqual([
      { path: 'a', bytes: 5 },
      { path: 'b', bytes: 0, error: 'not-taken' },
      { path: 'c', bytes: 0, error: 'not-taken' },
    ]);
    expect(readdirSync(work.folder)).toEqual(['a']);
  });

  it('says why this machine cannot keep something', async () => {
    await using work = await workplace();
    mkdirSync(work.path('full'));
    writeFileSync(work.path('full/x'), '');
    const requests = [
      { path: 'a', to: work.path('full') },
      { path: 'b', to: work.path('no/such/b') },
    ];
    const frames = [file('', '1'), frame(FOLDER, { request: 1 }), file('x', '1', 0o644, 1), frame(DONE)];
    expect(await receiveOutputs(streamed(...frames), requests)).toEqual([
      { path: 'a', bytes: 0, error: 'not-written', reason: 'EISDIR' },
      { path: 'b', bytes: 0, error: 'not-written', reason: 'ENOENT' },
    ]);
    expect(readdirSync(work.folder)).toEqual(['full']);
  });

  it.each([
    ['what is in a folder without the folder', [file('a/b', '')]],
    ['content of no file', [frame(DATA, { content: 'x' })]],
    ['the end of no file', [frame(END)]],
    ['a file in a file', [frame(FILE), frame(FILE, { name: 'x' })]],
    ['a request that was not made', [frame(FILE, { request: 1 })]],
    ['a frame after the last one', [frame(DONE), frame(FILE)]],
    ['a file that does not end', [frame(FILE), frame(DONE)]],
  ])('refuses %s, and leaves nothing', async (_, frames) => {
    await using work = await workplace();
    const requests = [{ path: 'o', to: work.path('o') }];
    await expect(receiveOutputs(streamed(...frames), requests)).rejects.toThrow(/^unreachable: `cell`/);
    expect(readdirSync(work.folder)).toEqual([]);
  });
});

describe('checkDestinations()', () => {
  it.each([
    ['a folder that is there', ['folder'], 'is there already and is a folder'],
    ['a link, such as /dev/stdout', ['link'], 'is there already and is a symbolic link'],
    ['a pipe', ['pipe'], 'is there already and is no regular file'],
    ['a place in no folder', ['no/such'], 'is in no folder'],
    ['a place in a file', ['file/x'], 'is in no folder'],
    ['one place twice', ['a', 'a'], 'would be written twice'],
  ])('refuses %s', async (_, names, fault) => {
    await using work = await workplace();
    await work.write({ file: '', 'folder/x': '' });
    symlinkSync('file', work.path('link'));
    execFileSync('mkfifo', [work.path('pipe')]);
    const requests = names.map((name) => ({ path: 'x', to: work.path(name) }));
    await expect(checkDestinations(requests)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringMatching(new RegExp(`^output: .* ${fault}$`)),
    });
  });

  it('takes files and what is not there', async () => {
    await using work = await workplace();
    await work.write({ file: '' });
    const requests = ['file', 'new'].map((name) => ({ path: 'x', to: work.path(name) }));
    await expect(checkDestinations(requests)).resolves.toBeUndefined();
  });
});
