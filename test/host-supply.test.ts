import { symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../src/base/progress.ts';
import { digestOf, hexOf } from '../src/base/digest.ts';
import { checkHostFiles } from '../src/check-host-files.ts';
import { hostSupply } from '../src/host-supply.ts';
import type { LockedHostFile } from '../src/lock/locked-artifacts.ts';
import { scratchStore } from './store/scratch-store.ts';
import { workplace, type Workplace } from './support/command.ts';

/** Two files of a machine, one link that leads elsewhere now, and a folder that has a new file. */
async function machine(work: Workplace, vendored: Readonly<Record<string, string>>) {
  const files = ['a', 'b'].map((name): LockedHostFile => {
    return { kind: 'file', path: work.path('usr', name), mode: 0o644, size: name.length, digest: digestOf(name) };
  });
  const link = { kind: 'link', path: work.path('usr/link'), target: 'a' } as const;
  const host = { files: [...files, link], folders: [work.path('usr')] };
  const target = { interpreter: undefined, indexes: [], debs: [], wheels: [], host, diffId: undefined };
  await work.write(
    Object.fromEntries(Object.entries(vendored).map(([name, text]) => [`vendor/host/${hexOf(digestOf(name))}`, text])),
  );
  const events: ProgressEvent[] = [];
  const context = {
    store: await scratchStore(),
    environment: {},
    hostArchitecture: 'amd64',
    signal: new AbortController().signal,
    progress: (event: ProgressEvent) => void events.push(event),
    vendor: work.path('vendor'),
    now: 2_000_000_000,
  } as const;
  const request = { target, architecture: 'amd64', recipe: 'recipes/x', files } as const;
  const text = async (name: string): Promise<string> => {
    const supply = await hostSupply(request, context);
    return Buffer.concat([...supply.chunks(work.path('usr', name))].map((chunk) => Buffer.from(chunk))).toString();
  };
  return { request, context, events, text };
}

describe('hostSupply() and checkHostFiles()', () => {
  it('look at nothing of this machine when the vendor folder has all', async () => {
    await using work = await workplace();
    const host = await machine(work, { a: 'a', b: 'b' });
    await checkHostFiles(host.request, host.context);
    expect([await host.text('a'), await host.text('b')]).toEqual(['a', 'b']);
    expect(host.events).toEqual([]);
  });
  it('follow a link of the vendor folder, and believe nothing of what it leads to', async () => {
    await using work = await workplace();
    const host = await machine(work, { a: 'a' });
    await work.write({ elsewhere: 'b' });
    symlinkSync('../../elsewhere', work.path('vendor/host', hexOf(digestOf('b'))));
    expect(await host.text('b')).toBe('b');
    await work.write({ elsewhere: 'c' });
    await expect(host.text('b')).rejects.toThrow(expect.objectContaining({ code: 'E_DIGEST_MISMATCH' }));
  });

  it('take from this machine what the folder lacks or has wrong, and say so', async () => {
    await using work = await workplace();
    const host = await machine(work, { a: 'x' });
    await work.write({ 'usr/a': 'a', 'usr/b': 'b', 'usr/new': 'new' });
    await checkHostFiles(host.request, host.context);
    expect([await host.text('a'), await host.text('b')]).toEqual(['a', 'b']);
    const vendor = work.path('vendor');
    expect(host.events[0]).toEqual({
      kind: 'warning',
      message:
        `\`${vendor}\`: 2 files of the host are taken from this machine:\n` +
        `  \`${work.path('usr/a')}\`: \`${vendor}/host/${hexOf(digestOf('a'))}\` has other bytes than the lockfile promises\n` +
        `  \`${work.path('usr/b')}\`: is not there`,
      hint: 'rootcellar vendor recipes/x --arch amd64, on the machine that it was locked on; or rootcellar lock recipes/x',
    });
  });

  it('name what neither has: files that are missing before anything is built, wrong ones when they are read', async () => {
    await using work = await workplace();
    const host = await machine(work, { a: 'x' });
    await work.write({ 'usr/a': 'y' });
    await expect(checkHostFiles(host.request, host.context)).rejects.toThrow(
      expect.objectContaining({
        code: 'E_HOST_CHANGED',
        message: `\`${work.path('usr/b')}\`: is gone, and \`${work.path('vendor')}\` does not have it either`,
      }),
    );
    await work.write({ 'usr/b': 'b' });
    await checkHostFiles(host.request, host.context);
    const path = work.path('vendor/host', hexOf(digestOf('a')));
    await expect(host.text('b')).rejects.toThrow(
      expect.objectContaining({
        code: 'E_DIGEST_MISMATCH',
        message: `host file \`${work.path('usr/a')}\`: \`${path}\` has other bytes than the lockfile promises, and on this machine it has another content`,
      }),
    );
  });

  it('compare all of this machine when the vendor folder has nothing of it', async () => {
    await using work = await workplace();
    const host = await machine(work, { other: 'other' });
    await work.write({ 'usr/a': 'a', 'usr/b': 'b' });
    const error = { code: 'E_HOST_CHANGED', message: `\`${work.path('usr/link')}\`: is gone` };
    await expect(checkHostFiles(host.request, host.context)).rejects.toThrow(expect.objectContaining(error));
    expect(await host.text('b')).toBe('b');
    expect(host.events).toEqual([]);
  });
});
