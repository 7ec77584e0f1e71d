import { execFileSync } from 'node:child_process';
import { appendFile, chmod, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { contentChunks, localEntries } from '../../src/run/local-files.ts';
import { workplace } from '../support/command.ts';

describe('localEntries()', () => {
  it('takes a folder with all that is in it, in the order of its bytes', async () => {
    await using work = await workplace();
    await work.write({ 'in/b.sh': 'run', 'in/a/x': 'xyz', 'in/é': '' });
    await chmod(work.path('in/b.sh'), 0o700);
    await mkdir(work.path('in/empty'));
    const entries = await localEntries(work.path('in'), 'there');
    expect(entries.map(({ path, content, isExecutable }) => [path, content, isExecutable])).toEqual([
      ['there', undefined, true],
      ['there/a', undefined, true],
      ['there/a/x', { file: work.path('in/a/x'), size: 3 }, false],
      ['there/b.sh', { file: work.path('in/b.sh'), size: 3 }, true],
      ['there/empty', undefined, true],
      ['there/é', { file: work.path('in/é'), size: 0 }, false],
    ]);
  });

  it('follows a link that is named, and refuses one in a folder', async () => {
    await using work = await workplace();
    await work.write({ 'in/a': 'x' });
    await symlink('in/a', work.path('link'));
    expect(await localEntries(work.path('link'), 'a')).toHaveLength(1);
    await symlink('/etc/passwd', work.path('in/link'));
    await expect(localEntries(work.path('in'), 'in')).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringMatching(/in\/link` is a symbolic link$/),
    });
  });

  it.each([
    ['what is not there', 'nothing', 'does not exist'],
    ['a FIFO', 'fifo', 'is no file'],
  ])('refuses %s', async (_, name, fault) => {
    await using work = await workplace();
    execFileSync('mkfifo', [work.path('fifo')]);
    await expect(localEntries(work.path(name), 'a')).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `file: \`${work.path(name)}\` ${fault}`,
    });
  });
});

describe('contentChunks()', () => {
  it('gives exactly what each content says', async () => {
    await using work = await workplace();
    await writeFile(work.path('large'), Buffer.alloc(3_000_000, 'ab'));
    const contents = [
      Buffer.from('1'),
      { file: work.path('large'), size: 2_500_001 },
      new Uint8Array(),
      Buffer.from('2'),
    ];
    await appendFile(work.path('large'), 'more');
    const bytes = await buffer(contentChunks(contents));
    expect(bytes.equals(Buffer.concat([Buffer.from('1'), Buffer.alloc(2_500_001, 'ab'), Buffer.from('2')]))).toBe(true);
  });

  it('says that a file became shorter', async () => {
    await using work = await workplace();
    await work.write({ short: 'abcdef' });
    await truncate(work.path('short'), 3);
    await expect(buffer(contentChunks([{ file: work.path('short'), size: 6 }]))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('became shorter'),
    });
  });
});
