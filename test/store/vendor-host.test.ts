import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkedChunks } from '../../src/assemble/unpack-host.ts';
import { digestOf, hexOf } from '../../src/base/digest.ts';
import type { HostBytes } from '../../src/lock/locked-artifacts.ts';
import { putHostBytes, vendoredHostNames } from '../../src/store/vendor-host.ts';
import { toyHost } from '../assemble/host-disks.ts';
import { workplace } from '../support/command.ts';

function bytes(name: string, content: string): HostBytes {
  return { kind: 'host', name, version: '', size: content.length, digest: digestOf(content) };
}

function writing(host: ReturnType<typeof toyHost>, written: string[] = []) {
  return {
    read: (one: HostBytes) => checkedChunks(host.disk, one),
    written: ({ name }: HostBytes) => void written.push(name),
    environment: process.env,
    signal: new AbortController().signal,
  };
}

describe('putHostBytes()', () => {
  it('puts each content under its digest, empty ones too, in place of a link and not through it', async () => {
    await using work = await workplace();
    using host = toyHost({ 'usr/a': 'aaa', 'usr/empty': '' });
    const path = join(work.folder, 'host', hexOf(digestOf('aaa')));
    mkdirSync(join(work.folder, 'host'));
    writeFileSync(work.path('mine'), 'mine');
    symlinkSync('../mine', path);
    const written: string[] = [];
    await putHostBytes(work.folder, [bytes('/usr/a', 'aaa'), bytes('/usr/empty', '')], writing(host, written));
    expect(readFileSync(path, 'utf8')).toBe('aaa');
    expect(readFileSync(work.path('mine'), 'utf8')).toBe('mine');
    expect(written).toEqual(['/usr/a', '/usr/empty']);
    expect(await vendoredHostNames(work.folder)).toEqual(new Set([digestOf('aaa'), digestOf('')]));
    expect(readdirSync(work.folder).toSorted()).toEqual(['host', 'mine']);
  });

  it('gives no name to what changed while it was copied, keeps what came before, and leaves nothing half-made', async () => {
    await using work = await workplace();
    using host = toyHost({ 'usr/a': 'aaa', 'usr/b': 'changed' });
    const wanted = [bytes('/usr/a', 'aaa'), bytes('/usr/b', 'as it was locked')];
    await expect(putHostBytes(work.folder, wanted, writing(host))).rejects.toThrow(
      expect.objectContaining({ code: 'E_HOST_CHANGED', message: '`/usr/b`: has another content than was locked' }),
    );
    expect(readdirSync(work.folder)).toEqual(['host']);
    expect(readdirSync(work.path('host'))).toEqual([hexOf(digestOf('aaa'))]);
  });

  it('names the file that is in the way', async () => {
    await using work = await workplace();
    using host = toyHost({ 'usr/a': 'aaa' });
    const path = join(work.folder, 'host', hexOf(digestOf('aaa')));
    mkdirSync(path, { recursive: true });
    await expect(putHostBytes(work.folder, [bytes('/usr/a', 'aaa')], writing(host))).rejects.toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: `\`${path}\`: is a folder` }),
    );
    expect(readdirSync(work.folder)).toEqual(['host']);
  });
});

describe('vendoredHostNames()', () => {
  it('has nothing without a folder, and what is no digest is nothing', async () => {
    await using work = await workplace();
    expect(await vendoredHostNames(work.folder)).toEqual(new Set());
    await work.write({ 'host/README': '', [`host/${hexOf(digestOf('x')).toUpperCase()}`]: 'x' });
    expect(await vendoredHostNames(work.folder)).toEqual(new Set());
    rmSync(work.path('host'), { recursive: true });
    await work.write({ host: 'a file' });
    expect(await vendoredHostNames(work.folder)).toEqual(new Set());
  });
});
