import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breakRoot, CANNOT_SANDBOX, makeToyHost, removeToyHost, runToy, type ToyHost } from './toy-cell.ts';

describe.skipIf(CANNOT_SANDBOX)('a cell refuses a root filesystem', () => {
  let host: ToyHost;
  beforeAll(() => {
    host = makeToyHost(['exit-with'], 320_000);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  describe.each(['tmp', 'dev', 'run'])('whose /%s', (name) => {
    it.each([
      ['link', 'is a symbolic link'],
      ['dangling', 'is a symbolic link'],
      ['file', 'is not a directory'],
    ] as const)('is a %s', async (how, what) => {
      const root = breakRoot(host, name, how);
      const before = readdirSync(host.folder);
      const { verdict } = await runToy(host, { change: { root } });
      const message = `root filesystem: \`/${name}\` ${what}`;
      expect(verdict).toMatchObject({ status: 'rejected', error: { step: `root-${name}`, message } });
      expect(readdirSync(host.folder).filter((entry) => !before.includes(entry))).toEqual(
        before.includes('identities') ? [] : ['identities'],
      );
      expect(existsSync(join(host.folder, 'made-outside'))).toBe(false);
    });

    it('is missing', async () => {
      const root = breakRoot(host, name, 'missing');
      const { verdict } = await runToy(host, { change: { root } });
      const message = `root filesystem: has no directory \`/${name}\``;
      expect(verdict).toMatchObject({ status: 'rejected', error: { step: `root-${name}`, message } });
    });
  });

  it.each([
    ['link', 'is a symbolic link'],
    ['missing', 'has no directory'],
    ['file', 'is not a directory'],
  ] as const)('whose /proc is a %s, when a /proc is asked for', async (how, what) => {
    const root = breakRoot(host, 'bin', 'missing');
    if (how === 'link') symlinkSync('../../../proc', join(root, 'proc'));
    if (how === 'file') writeFileSync(join(root, 'proc'), '');
    const { verdict } = await runToy(host, { change: { root, hasProc: true } });
    expect(verdict).toMatchObject({ status: 'rejected', error: { step: 'root-proc' } });
    expect(verdict.error?.message).toContain(what);
  });

  it('that does not exist', async () => {
    const { verdict } = await runToy(host, { change: { root: join(host.folder, 'nowhere') } });
    expect(verdict).toMatchObject({ status: 'internal', error: { step: 'root' } });
  });

  it('whose program is a link to the host', async () => {
    const root = breakRoot(host, 'bin', 'missing');
    mkdirSync(join(root, 'bin'));
    symlinkSync(join(host.root, 'bin', 'exit-with'), join(root, 'bin', 'exit-with'));
    const { verdict } = await runToy(host, { change: { root } });
    expect(verdict).toMatchObject({ status: 'rejected', error: { step: 'exec' } });
  });
});
