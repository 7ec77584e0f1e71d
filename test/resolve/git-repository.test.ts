import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRepository, tagVersion, type GitCommit } from '../../src/resolve/git-repository.ts';
import type { ResolverSettings } from '../../src/resolve/resolver-settings.ts';
import { toyRepository } from '../support/toy-repository.ts';

let folder = '';
let ids: readonly string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'git-repository-'));
  ids = toyRepository(folder, 'toy', [
    [
      'one',
      {
        'a.py': 'one\n',
        'run.sh': '#!/bin/sh\n',
        link: '-> a.py',
        '.gitattributes': '*.py filter=evil eol=crlf export-ignore\n',
      },
      'v1.0',
    ],
    [
      'two',
      { 'a.py': 'two\n', '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% /tmp/evil\n' },
      'release-2.0',
    ],
    ['three', { 'a.py': 'three\n' }],
  ]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(
  revision: string | undefined,
  more: { environment?: object; address?: string } = {},
): Promise<GitCommit> {
  const environment = { PATH: process.env['PATH'], HOME: folder, ...more.environment };
  const settings: ResolverSettings = {
    hostArchitecture: 'amd64',
    environment,
    cacheFolder: folder,
    temporaryFolder: join(folder, 'tmp'),
    now: 0,
  };
  const address = more.address ?? `file://${folder}/toy.git`;
  return await readRepository({ name: 'toy', address, revision }, settings);
}

function textOf({ files }: GitCommit, path: string): string | undefined {
  const file = files.find((one) => one.path === path);
  return file === undefined ? undefined : `${file.kind}: ${Buffer.from(file.content).toString()}`;
}

describe('readRepository()', () => {
  it.each([
    [undefined, 2, 'three'],
    ['main', 2, 'three'],
    ['v1.0', 0, 'one'],
    ['refs/tags/release-2.0', 1, 'two'],
  ])('finds %s', async (revision, index, content) => {
    const commit = await read(revision);
    expect(commit.commit).toBe(ids[index]);
    expect(textOf(commit, 'a.py')).toBe(`file: ${content}\n`);
    expect(commit.time).toBe(1_600_000_000);
  });

  it('finds full and abbreviated commits, also such that no branch ends in', async () => {
    const full = await read(ids[1]);
    const short = await read(ids[1]?.slice(0, 10));
    expect([full.commit, short.commit]).toEqual([ids[1], ids[1]]);
    expect(full).toEqual(short);
    expect(full.tag).toBe('release-2.0');
  });

  it('gives files as the repository has them: no filter, no attribute, links as links', async () => {
    const commit = await read('v1.0');
    expect(commit.files.map(({ path }) => path)).toEqual(['.gitattributes', 'a.py', 'link', 'run.sh']);
    expect(textOf(commit, 'link')).toBe('symlink: a.py');
    expect(commit.tag).toBe('v1.0');
  });

  it.each([
    ['v9', 'E_REQUIREMENT_UNKNOWN', /no branch, tag or commit `v9`/],
    ['0123456789', 'E_REQUIREMENT_UNKNOWN', /0123456789/],
    ['f'.repeat(40), 'E_REQUIREMENT_UNKNOWN', /ffff/],
  ])('says that there is no %s', async (revision, code, message) => {
    await expect(read(revision)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each([
    ['ext::sh -c touch% /tmp/rootcellar-evil', /not allowed/],
    ['git://127.0.0.1:1/x.git', /not allowed/],
    ['file:///nonexistent/x.git', /does not (?:exist|appear)/],
    ['http://user:secret@127.0.0.1:1/x.git', /http:\/\/…|unable to access/],
  ])('refuses %s', async (address, message) => {
    const failure = read('main', { address });
    await expect(failure).rejects.toMatchObject({ code: 'E_DOWNLOAD', message: expect.stringMatching(message) });
    await expect(failure).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
  });

  it('lets neither settings nor variables of git run anything', async () => {
    const evil = {
      GIT_EXEC_PATH: '/nonexistent',
      GIT_PROXY_COMMAND: 'false',
      GIT_DIR: '/nonexistent',
      GIT_TRACE: '/dev/null',
    };
    expect((await read('v1.0', { environment: evil })).commit).toBe(ids[0]);
  });

  it('says that there is no git', async () => {
    const failure = read('v1.0', { environment: { PATH: '/nonexistent' } });
    await expect(failure).rejects.toMatchObject({ code: 'E_RESOLVER_MISSING', hint: 'apt-get install git' });
  });
});

describe('tagVersion()', () => {
  it.each([
    ['v1.2', '1.2'],
    ['1.2.3', '1.2.3'],
    ['release-2.0', '2.0'],
    ['python/v1.0rc1', '1.0rc1'],
    ['nightly', undefined],
    ['latest-1', '1'],
  ])('%s → %s', (tag, version) => {
    expect(tagVersion(tag)).toBe(version);
  });
});
