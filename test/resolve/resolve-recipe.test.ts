import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type DebianBase, type Recipe } from '../../src/recipe/recipe.ts';
import { locateArtifacts } from '../../src/resolve/locate.ts';
import type { Resolution } from '../../src/resolve/resolution.ts';
import type { ToyDeb } from '../support/toy-archive.ts';
import { startToyIndex } from '../support/toy-index.ts';
import { toyMachine as toyMachineOf, type Machine } from './toy-machine.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';

const DEBS: readonly ToyDeb[] = [
  { name: 'app', version: '1:1.0-1', architecture: 'amd64', fields: { Depends: 'libone (>= 1), awk' } },
  { name: 'libone', version: '1.0+x~1', architecture: 'amd64' },
  { name: 'mawk', version: '1', fields: { Provides: 'awk' } },
  { name: 'enemy', version: '1', fields: { Conflicts: 'libone' } },
  { name: 'python3.13-minimal', version: '3.13.5-2', architecture: 'amd64', fields: { Depends: 'libc6' } },
  { name: 'libc6', version: '2.41-12', architecture: 'amd64' },
];

const BASE: DebianBase = {
  kind: 'debian',
  suite: 'toysuite',
  mirror: undefined,
  components: ['main'],
  packages: ['app'],
};

const RECIPE: Recipe = {
  name: 'toy',
  file: '/toy/recipe.yaml',
  architectures: ['amd64'],
  base: BASE,
  python: undefined,
  files: [],
  sandbox: {
    syscalls: { profile: 'python', allow: [], deny: [] },
    network: 'none',
    limits: DEFAULT_LIMITS,
    minimumTier: 'D',
  },
  sources: [],
};

function withPackages(...packages: string[]): Recipe {
  return { ...RECIPE, base: { ...BASE, packages } };
}

async function toyMachine(suites: Readonly<Record<string, readonly ToyDeb[]>> = { toysuite: DEBS }): Promise<Machine> {
  return await toyMachineOf(RECIPE, { suites });
}

function versionOfLibone({ targets }: Resolution): string | undefined {
  return targets.get('amd64')?.debs.find(({ name }) => name === 'libone')?.version;
}

const SKIP = skipWithoutPrograms('apt-get', 'dpkg-deb', 'gpg');

describe.skipIf(SKIP)('resolveRecipe() from a toy archive', { timeout: 60_000 }, () => {
  it('gives exact packages with their closure, and the signed index', async () => {
    await using machine = await toyMachine();
    const { epoch, resolvers, targets } = await machine.resolve();
    const target = targets.get('amd64');
    expect(target?.debs.map(({ name, version, depends }) => [name, version, depends])).toEqual([
      ['app', '1:1.0-1', ['libone', 'mawk']],
      ['libone', '1.0+x~1', []],
      ['mawk', '1', []],
    ]);
    expect(target?.debs[1]).toMatchObject({
      suite: 'toysuite',
      architecture: 'amd64',
      path: 'pool/main/l/libone/libone_1.0+x~1_amd64.deb',
    });
    expect(target?.indexes).toMatchObject([
      { archive: 'debian', suite: 'toysuite', component: 'main', date: 1789199741 },
    ]);
    expect(epoch).toEqual({ seconds: 1789199741, from: 'index of toysuite' });
    expect(resolvers.map(({ name }) => name)).toEqual(['apt']);
    expect(JSON.stringify([...targets])).not.toContain('127.0.0.1');
    expect(await readdir(machine.settings.temporaryFolder)).toEqual([]);
  });

  it('gives the same again from its cache of lists', async () => {
    await using machine = await toyMachine();
    const first = await machine.resolve();
    expect(await machine.resolve()).toEqual(first);
    expect(await readdir(machine.settings.cacheFolder)).toEqual(['apt']);
  });

  it('lets several resolves of one cache run at the same time', async () => {
    await using machine = await toyMachine();
    const [first, ...others] = await Promise.all([machine.resolve(), machine.resolve(), machine.resolve()]);
    expect(others).toEqual([first, first]);
  });

  it.each(['bad-signature', 'other-key', 'unsigned', 'packages'] as const)(
    'refuses an archive with: %s',
    async (how) => {
      await using machine = await toyMachine();
      await machine.archive.tamper(how, 'toysuite');
      const failure = machine.resolve();
      await expect(failure).rejects.toMatchObject({
        code: 'E_ARCHIVE_UNTRUSTED',
        message: expect.stringContaining('toysuite'),
      });
      expect(await readdir(machine.settings.temporaryFolder)).toEqual([]);
    },
  );

  it('refuses an unsigned archive though the machine’s own apt would take it', async () => {
    await using machine = await toyMachine();
    await machine.archive.tamper('unsigned', 'toysuite');
    const sources = `${machine.archive.sources(['toysuite']).trimEnd()}\nTrusted: yes\nAllow-Insecure: yes\n`;
    await writeFile(join(machine.folder, 'sources.list.d/toy.sources'), sources);
    await writeFile(
      join(machine.folder, 'apt.conf'),
      `Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "${machine.folder}/sources.list.d"; Acquire::AllowInsecureRepositories "true"; APT::Get::AllowUnauthenticated "true";\n`,
    );
    await expect(machine.resolve()).rejects.toMatchObject({ code: 'E_ARCHIVE_UNTRUSTED' });
  });

  it('says E_DOWNLOAD when the archive cannot be reached, though lists are cached', async () => {
    await using machine = await toyMachine();
    await machine.resolve();
    machine.archive.server.faults.set('/debian/dists/toysuite/InRelease', { kind: 'drop' });
    await expect(machine.resolve()).rejects.toMatchObject({ code: 'E_DOWNLOAD' });
  });

  it('keeps the lists of its last run alone, and none of one that was killed', async () => {
    await using machine = await toyMachine();
    await machine.resolve();
    const [key = ''] = await readdir(join(machine.settings.cacheFolder, 'apt'));
    const cache = join(machine.settings.cacheFolder, 'apt', key);
    await mkdir(join(cache, 'lists-of-a-killed-run'));
    await machine.archive.publish({ suites: { toysuite: DEBS }, date: 'Sun, 13 Sep 2026 07:55:41 UTC' });
    await machine.resolve();
    expect((await readdir(cache)).map((name) => name.replace(/^lists-.*/, 'lists'))).toEqual([
      'chosen.json',
      'current',
      'lists',
    ]);
    expect(await readdir(join(cache, 'current'))).toHaveLength(2);
  });

  it('starts from nothing when the lists of an earlier run are damaged', async () => {
    await using machine = await toyMachine();
    const first = await machine.resolve();
    const [key = ''] = await readdir(join(machine.settings.cacheFolder, 'apt'));
    const kept = join(machine.settings.cacheFolder, 'apt', key, 'current');
    const packages = (await readdir(kept)).find((name) => name.endsWith('_Packages')) ?? '';
    const text = await readFile(join(kept, packages), 'utf8');
    await writeFile(join(kept, packages), text.replace('Description: toy', 'Description: boy'));
    expect(await machine.resolve()).toEqual(first);
    // Where nothing is known of what was chosen of these indexes, they are read.
    await rm(join(machine.settings.cacheFolder, 'apt', key, 'chosen.json'));
    await writeFile(join(kept, packages), text.replace('Description: toy', 'Description: boy'));
    expect(await machine.resolve()).toEqual(first);
  });

  it('names all unknown packages at once, with the names that were meant', async () => {
    await using machine = await toyMachine();
    const failure = machine.resolve({ recipe: withPackages('ap', 'liboen', 'app', 'Bad*') });
    await expect(failure).rejects.toMatchObject({ code: 'E_DEB_UNKNOWN', message: expect.stringContaining('`Bad*`') });
    await expect(machine.resolve({ recipe: withPackages('appp', 'liboen', 'app') })).rejects.toMatchObject({
      problems: [
        { code: 'E_DEB_UNKNOWN', message: expect.stringContaining('`appp`'), hint: 'did you mean `app`?' },
        { code: 'E_DEB_UNKNOWN', message: expect.stringContaining('`liboen`'), hint: 'did you mean `libone`?' },
      ],
    });
  });

  it('takes no option for a package', async () => {
    await using machine = await toyMachine();
    const recipe = withPackages('--download-only');
    await expect(machine.resolve({ recipe })).rejects.toMatchObject({ code: 'E_DEB_UNKNOWN' });
  });

  it('gives apt’s reasons for packages that conflict', async () => {
    await using machine = await toyMachine();
    const failure = machine.resolve({ recipe: withPackages('app', 'enemy') });
    await expect(failure).rejects.toMatchObject({ code: 'E_DEB_CONFLICT', message: expect.stringContaining('libone') });
  });

  it('stays at locked versions while a newer one is there, unless told otherwise', async () => {
    await using machine = await toyMachine({ toysuite: DEBS, 'toysuite-security': [] });
    const old = await machine.resolve();
    const newer = DEBS.filter(({ name }) => name === 'libone').map((deb) => Object.assign({}, deb, { version: '2.0' }));
    await machine.archive.publish({ suites: { 'toysuite-security': newer }, date: 'Sun, 13 Sep 2026 07:55:41 UTC' });
    expect(versionOfLibone(await machine.resolve({ previous: old }))).toBe('1.0+x~1');
    expect(versionOfLibone(await machine.resolve({ previous: old, upgrade: ['app'] }))).toBe('1.0+x~1');
    expect(versionOfLibone(await machine.resolve({ previous: old, upgrade: ['libone'] }))).toBe('2.0');
    expect(versionOfLibone(await machine.resolve({ previous: old, upgrade: 'all' }))).toBe('2.0');
  });

  it('drops a locked version that the archive no longer has', async () => {
    await using machine = await toyMachine();
    const old = await machine.resolve();
    const newer = DEBS.map((deb) => (deb.name === 'libone' ? Object.assign({}, deb, { version: '2.0' }) : deb));
    await machine.archive.publish({ suites: { toysuite: newer }, date: 'Sun, 13 Sep 2026 07:55:41 UTC' });
    const again = await machine.resolve({ previous: old });
    expect(again.targets.get('amd64')?.debs.map(({ version }) => version)).toEqual(['1:1.0-1', '2.0', '1']);
  });

  it('keeps index and epoch where a new index changes no package', async () => {
    await using machine = await toyMachine();
    const old = await machine.resolve();
    await machine.archive.publish({ suites: { toysuite: DEBS }, date: 'Sun, 13 Sep 2026 07:55:41 UTC' });
    expect(await machine.resolve({ previous: old, upgrade: 'all' })).toEqual(old);
  });

  it('resolves without the updates of a mirror that has none, and says so', async () => {
    await using machine = await toyMachine();
    const recipe = { ...RECIPE, base: { ...BASE, mirror: machine.archive.url } };
    expect((await machine.resolve({ recipe })).targets.get('amd64')?.debs).toHaveLength(3);
    expect(machine.warnings).toEqual(['debian archive: it has no suite `toysuite-updates`; resolving without it']);
  });

  it('reads the interpreter from the packages', async () => {
    await using machine = await toyMachine();
    const { targets } = await machine.resolve({ recipe: withPackages('python3.13-minimal') });
    expect(targets.get('amd64')?.interpreter).toMatchObject({ version: '3.13.5', glibc: '2.41' });
  });

  it('refuses Python requirements without an interpreter', async () => {
    await using machine = await toyMachine();
    const recipe = { ...RECIPE, python: { file: 'r.txt', lines: ['six'], indexUrl: undefined } };
    await expect(machine.resolve({ recipe })).rejects.toMatchObject({
      code: 'E_RECIPE_VALUE',
      hint: expect.stringContaining('python3'),
    });
  });

  it('knows no suite that apt has no source for', async () => {
    await using machine = await toyMachine();
    const recipe = { ...RECIPE, base: { ...BASE, suite: 'nosuch' } };
    await expect(machine.resolve({ recipe })).rejects.toMatchObject({ code: 'E_ARCHIVE_UNKNOWN' });
  });

  it('warns of a date in the future', async () => {
    await using machine = await toyMachine();
    await machine.resolve({ settings: { ...machine.settings, now: 1_700_000_000 } });
    expect(machine.warnings).toEqual(['index of toysuite: its date is in the future']);
  });

  it('stops and cleans up when it is told to', async () => {
    await using machine = await toyMachine();
    machine.archive.server.faults.set('/debian/dists/toysuite/InRelease', { kind: 'stall' });
    const controller = new AbortController();
    const failure = machine.resolve({ settings: { ...machine.settings, signal: controller.signal } });
    const stopped = failure.catch((error: unknown) => error);
    await expect.poll(() => machine.archive.server.requests.length, { timeout: 30_000 }).toBeGreaterThan(0);
    controller.abort();
    expect(await stopped).toMatchObject({ code: 'E_CANCELLED' });
    expect(await readdir(machine.settings.temporaryFolder)).toEqual([]);
  });

  it('says E_RESOLVER_MISSING where there is no apt', async () => {
    await using machine = await toyMachine();
    const environment = { ...machine.settings.environment, PATH: '/nowhere' };
    const failure = machine.resolve({ settings: { ...machine.settings, environment } });
    await expect(failure).rejects.toMatchObject({ code: 'E_RESOLVER_MISSING', hint: expect.any(String) });
  });
});

describe.skipIf(SKIP)('locateArtifacts()', { timeout: 60_000 }, () => {
  it('finds packages in the machine’s archives, percent-encoded', async () => {
    await using machine = await toyMachine();
    const debs = (await machine.resolve()).targets.get('amd64')?.debs ?? [];
    const located = await locateArtifacts({ recipe: RECIPE, architecture: 'amd64', artifacts: debs }, machine.settings);
    expect(located.map(({ artifact }) => artifact)).toEqual(debs);
    expect(located[1]?.urls).toEqual([`${machine.archive.url}/pool/main/l/libone/libone_1.0%2Bx~1_amd64.deb`]);
    const response = await fetch(located[1]?.urls[0] ?? '');
    expect((await response.arrayBuffer()).byteLength).toBe(debs[1]?.size);
  });

  it('finds wheels in the recipe’s index, and names those that are gone', async () => {
    await using machine = await toyMachine();
    await using index = await startToyIndex({ wheels: [{ name: 'one', version: '1' }] });
    const recipe = { ...RECIPE, python: { file: 'r.txt', lines: ['one'], indexUrl: index.url } };
    const [file = ''] = index.wheels.keys();
    const page = await (await fetch(`${index.url}/one/`)).text();
    const digest = `sha256:${/sha256=(\w+)/.exec(page)?.[1] ?? ''}` as const;
    const wheel = { kind: 'wheel', name: 'one', version: '1', file, size: 1, digest, uploaded: undefined } as const;
    const other = { ...wheel, digest: `sha256:${'0'.repeat(64)}` as const };
    const request = { recipe, architecture: 'amd64', artifacts: [wheel] } as const;
    expect(await locateArtifacts(request, machine.settings)).toEqual([
      { artifact: wheel, urls: [`${index.server.url}/files/${file}`] },
    ]);
    await expect(locateArtifacts({ ...request, artifacts: [other] }, machine.settings)).rejects.toMatchObject({
      code: 'E_DOWNLOAD_GONE',
      hint: 'run `rootcellar lock --upgrade-package one`',
    });
  });

  it('asks nobody when nothing is asked for', async () => {
    const settings = {
      hostArchitecture: 'amd64' as const,
      environment: { PATH: '/nowhere' },
      cacheFolder: '/nowhere',
      temporaryFolder: '/nowhere',
      now: 0,
    };
    expect(await locateArtifacts({ recipe: RECIPE, architecture: 'amd64', artifacts: [] }, settings)).toEqual([]);
  });
});
