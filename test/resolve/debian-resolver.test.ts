import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMachineApt, withAptRoot, type AptRoot } from '../../src/resolve/apt-root.ts';
import { resolveDebian, type DebianResolution } from '../../src/resolve/debian-resolver.ts';
import { parseSourcesFile } from '../../src/resolve/debian-sources.ts';
import { startToyArchive } from '../support/toy-archive.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';

/** Resolves `app`; what `change` returns takes the place of the Packages file right before apt's answer to `command`. */
async function resolveWithChange(command: string, change: (text: string) => string): Promise<DebianResolution> {
  await using archive = await startToyArchive({ suites: { toysuite: [{ name: 'app', version: '1' }] } });
  const folder = await mkdtemp(join(tmpdir(), 'debian-resolver-'));
  try {
    const environment = { PATH: process.env['PATH'] };
    const folders = { cacheFolder: join(folder, 'cache'), temporaryFolder: join(folder, 'tmp') };
    const settings = { environment, hostArchitecture: 'amd64', ...folders, now: 0 } as const;
    const machine = await readMachineApt(settings);
    const sources = parseSourcesFile(archive.sources(['toysuite']));
    return await withAptRoot({ machine, architecture: 'amd64', settings }, async (root) => {
      const run: AptRoot['run'] = async (program, parameters) => {
        if (parameters[0] === command) await changeIndex(root, change);
        return await root.run(program, parameters);
      };
      const pins = { locked: new Map(), peer: new Map() };
      const request = { suite: 'toysuite', packages: ['app'], sources, pins, warn: () => undefined };
      return await resolveDebian({ ...root, run }, request);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function changeIndex(root: AptRoot, change: (text: string) => string): Promise<void> {
  const lists = join(root.folder, 'var/lib/apt/lists');
  const name = (await readdir(lists)).find((file) => file.endsWith('_Packages')) ?? 'none';
  await writeFile(join(lists, name), change(await readFile(join(lists, name), 'utf8')));
}

const SKIP = skipWithoutPrograms('apt-get', 'dpkg-deb', 'gpg');

describe.skipIf(SKIP)('resolveDebian() checks the chain again', { timeout: 60_000 }, () => {
  it('takes an index that is what was signed', async () => {
    const { debs, indexes } = await resolveWithChange('indextargets', (text) => text);
    expect(debs.map(({ name }) => name)).toEqual(['app']);
    expect(indexes).toHaveLength(1);
  });

  it('refuses an index that is not what was signed, though apt takes it', async () => {
    const failure = resolveWithChange('indextargets', (text) => `${text}\nPackage: more\n`);
    await expect(failure).rejects.toMatchObject({
      code: 'E_ARCHIVE_UNTRUSTED',
      message: 'debian archive: suite `toysuite`: `main/binary-amd64/Packages` does not match the signed index',
    });
  });

  it('refuses a package that its index describes in another way than apt', async () => {
    const failure = resolveWithChange('indextargets', (text) => text.replace(/^Size: .*$/m, 'Size: 1'));
    await expect(failure).rejects.toMatchObject({
      code: 'E_ARCHIVE_UNTRUSTED',
      message: 'debian archive: package `app` is not what its index says',
    });
  });

  it('refuses a package that is in no index', async () => {
    const failure = resolveWithChange('indextargets', () => '');
    await expect(failure).rejects.toMatchObject({ code: 'E_ARCHIVE_UNTRUSTED' });
  });
});
