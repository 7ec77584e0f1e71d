import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileOf, outputOf } from '../../src/cli/run-files.ts';
import { workplace } from '../support/command.ts';

describe('fileOf()', () => {
  it.each([
    ['/d/a.csv', { from: '/d/a.csv', path: 'a.csv' }],
    ['/d/', { from: '/d', path: 'd' }],
    ['/d/a.csv:in/b.csv', { from: '/d/a.csv', path: 'in/b.csv' }],
    ['/d/a:b:c', { from: '/d/a:b', path: 'c' }],
    ['/d:.', { from: '/d', path: '.' }],
  ])('reads %s', (text, file) => {
    expect(fileOf(text)).toEqual(file);
  });

  it.each(['', ':a', 'a:'])('refuses %j', (text) => {
    expect(() => fileOf(text)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', hint: expect.stringContaining('--file') }),
    );
  });
});

describe('outputOf()', () => {
  it.each([
    ['a/b.json:x.json', 'a/b.json', 'x.json'],
    ['a/b.json:there', 'a/b.json', 'there/b.json'],
    ['a/b:x:y', 'a/b', 'x:y'],
    ['/tmp/a/:there', '/tmp/a/', 'there/a'],
    ['.:there', '.', 'there/tmp'],
    ['.:new', '.', 'new'],
  ])('reads %s', async (text, path, to) => {
    await using work = await workplace();
    await work.write({ 'there/file': '' });
    const [, local = ''] = /:(.*)$/.exec(text) ?? [];
    const absolute = `${text.slice(0, text.length - local.length)}${work.path(local)}`;
    expect(await outputOf(absolute)).toEqual({ path, to: work.path(to) });
  });

  it('puts what has no place into the current folder', async () => {
    expect(await outputOf('a/b.json')).toEqual({ path: 'a/b.json', to: join(process.cwd(), 'b.json') });
  });

  it.each(['', ':a', 'a:'])('refuses %j', async (text) => {
    await expect(outputOf(text)).rejects.toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('--out') });
  });
});
