import { describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { DEFAULT_LIMITS, type Recipe } from '../../src/recipe/recipe.ts';
import type { Resolution } from '../../src/resolve/resolution.ts';
import type { ToyDeb } from '../support/toy-archive.ts';
import { startToyIndex } from '../support/toy-index.ts';
import { toyMachine, type Machine } from './toy-machine.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';

const RECIPE: Recipe = {
  name: 'toy',
  file: '/toy/recipe.yaml',
  architectures: ['amd64', 'arm64'],
  base: { kind: 'debian', suite: 'toysuite', mirror: undefined, components: ['main'], packages: ['app'] },
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

type ToyVersions = Readonly<Record<Architecture, readonly string[]>>;

/** `app` for both architectures, which needs `libone` in the versions that an architecture has. */
function debsWith(versions: ToyVersions): readonly ToyDeb[] {
  const libraries = Object.entries(versions).flatMap(([architecture, all]) =>
    all.map((version) => ({ name: 'libone', version, architecture })),
  );
  return [app('amd64'), app('arm64'), ...libraries];
}

function app(architecture: Architecture): ToyDeb {
  return { name: 'app', version: '1', architecture, fields: { Depends: 'libone' } };
}

async function machineWith(debs: readonly ToyDeb[], recipe: Recipe = RECIPE): Promise<Machine> {
  return await toyMachine(recipe, { suites: { toysuite: debs }, architectures: ['amd64', 'arm64'] });
}

function versionsOf({ targets }: Resolution, name = 'libone'): readonly (string | undefined)[] {
  return [...targets.values()].map(({ debs }) => debs.find((deb) => deb.name === name)?.version);
}

const SKIP = skipWithoutPrograms('apt-get', 'dpkg-deb', 'gpg');

describe.skipIf(SKIP)('resolveRecipe() for two architectures', { timeout: 60_000 }, () => {
  it('takes the first one’s version for the other, though there is a newer one', async () => {
    await using machine = await machineWith(debsWith({ amd64: ['1-1'], arm64: ['1-1', '1-2'] }));
    const resolution = await machine.resolve();
    expect(versionsOf(resolution)).toEqual(['1-1', '1-1']);
    expect(resolution.differences).toBeUndefined();
    expect(machine.warnings).toEqual([]);
  });

  it('takes another build of the same source, and says so', async () => {
    await using machine = await machineWith(debsWith({ amd64: ['1-1+b1'], arm64: ['1-1+b3', '1-2'] }));
    const resolution = await machine.resolve();
    expect(versionsOf(resolution)).toEqual(['1-1+b1', '1-1+b3']);
    expect(resolution.differences).toEqual([
      'libone: 1-1+b1 on amd64, 1-1+b3 on arm64: the same source, built another time',
    ]);
    expect(machine.warnings).toEqual(resolution.differences);
    expect((await machine.resolve({ previous: resolution })).differences).toEqual(resolution.differences);
    expect(machine.warnings).toHaveLength(1);
  });

  it('takes what there is where the archive has no such version, and says so', async () => {
    await using machine = await machineWith(debsWith({ amd64: ['2'], arm64: ['1'] }));
    const { differences, ...resolution } = await machine.resolve();
    expect(versionsOf(resolution)).toEqual(['2', '1']);
    expect(differences).toEqual(['libone: 2 on amd64, 1 on arm64: there is no 2 for arm64 now']);
  });

  it('says when a version is there, but does not go with the others', async () => {
    const fields = { Depends: 'libone (>= 2)' };
    const extra = { name: 'extra', version: '1' };
    const recipe = { ...RECIPE, base: { ...RECIPE.base, packages: ['app', 'extra'] } };
    const extras = [
      { ...extra, architecture: 'amd64' },
      { ...extra, architecture: 'arm64', fields },
    ];
    await using machine = await machineWith([...debsWith({ amd64: ['1'], arm64: ['1', '2'] }), ...extras], recipe);
    const { differences, ...resolution } = await machine.resolve();
    expect(versionsOf(resolution)).toEqual(['1', '2']);
    expect(differences).toEqual(['libone: 1 on amd64, 2 on arm64: 1 does not go with what else arm64 has']);
  });

  it('names the architecture for which there is no such package', async () => {
    const amd64 = debsWith({ amd64: ['1'], arm64: [] }).find(({ name }) => name === 'libone');
    if (amd64 === undefined) throw new Error('no toy');
    const recipe = { ...RECIPE, base: { ...RECIPE.base, packages: ['libone'] } };
    await using machine = await machineWith([amd64], recipe);
    await expect(machine.resolve()).rejects.toMatchObject({
      code: 'E_DEB_UNKNOWN',
      message: 'debian package `libone`: suite `toysuite` has no such package for arm64',
    });
    await using other = await toyMachine(recipe, { suites: { toysuite: [amd64] } });
    await expect(other.resolve()).rejects.toMatchObject({ message: expect.stringContaining('for arm64') });
  });

  it('names the architecture whose packages contradict each other', async () => {
    await using machine = await machineWith(debsWith({ amd64: ['1'], arm64: [] }));
    await expect(machine.resolve()).rejects.toMatchObject({
      code: 'E_DEB_CONFLICT',
      message: expect.stringMatching(/^arm64: debian packages: .*\n.*libone/),
    });
  });

  it('leaves alone what is not to be resolved, and follows it', async () => {
    await using machine = await machineWith(debsWith({ amd64: ['1'], arm64: ['1'] }));
    const previous = await machine.resolve({ architectures: ['amd64'] });
    expect([...previous.targets.keys()]).toEqual(['amd64']);
    const later = { suites: { toysuite: debsWith({ amd64: ['2'], arm64: ['1', '2'] }) } };
    await machine.archive.publish({
      ...later,
      architectures: ['amd64', 'arm64'],
      date: 'Sun, 13 Sep 2026 07:55:41 UTC',
    });
    const both = await machine.resolve({ previous, architectures: ['arm64'] });
    expect(both.targets.get('amd64')).toEqual({ ...previous.targets.get('amd64'), epoch: previous.epoch });
    expect(both.targets.get('arm64')?.debs.map(({ version }) => version)).toEqual(['1', '1']);
    expect(both.epoch.seconds).toBeGreaterThan(previous.epoch.seconds);
    const upgraded = await machine.resolve({ previous: both, architectures: ['arm64'], upgrade: 'all' });
    expect(upgraded.differences).toEqual(['libone: 1 on amd64, 2 on arm64: 1 does not go with what else arm64 has']);
  });
});

const PYTHON: readonly ToyDeb[] = pythonDebs(13);

function pythonDebs(minor: number): readonly ToyDeb[] {
  const name = `python3.${minor}-minimal`;
  return (['amd64', 'arm64'] as const).flatMap((architecture) => [
    { name: 'app', version: `1.${minor}`, architecture, fields: { Depends: name } },
    { name, version: `3.${minor}.5-2`, architecture, fields: { Depends: 'libc6' } },
    { name: 'libc6', version: '2.41-12', architecture },
  ]);
}

function compilersOf({ targets }: Resolution): readonly (string | undefined)[] | undefined {
  return targets.get('arm64')?.compilers?.map(({ name, architecture }) => `${name} ${architecture}`);
}

describe.skipIf(SKIP)('compilers', { timeout: 60_000 }, () => {
  const only: Recipe = { ...RECIPE, architectures: ['arm64'] };

  it('are an interpreter for this machine where no target is', async () => {
    await using machine = await machineWith(PYTHON, only);
    const resolution = await machine.resolve();
    expect(compilersOf(resolution)).toEqual(['libc6 amd64', 'python3.13-minimal amd64']);
    expect([...resolution.targets.keys()]).toEqual(['arm64']);
    const again = await machine.resolve({ previous: resolution, architectures: [] });
    expect(again.targets.get('arm64')).toEqual(resolution.targets.get('arm64'));
  });

  it('are not there where this machine is a target, or what it compiles for', async () => {
    await using machine = await machineWith(PYTHON, only);
    expect(compilersOf(await machine.resolve({ recipe: RECIPE }))).toBeUndefined();
    const settings = { ...machine.settings, hostArchitecture: 'arm64' as const };
    expect(compilersOf(await machine.resolve({ settings }))).toBeUndefined();
  });

  it('go when this machine becomes a target', async () => {
    await using machine = await machineWith(PYTHON, only);
    const previous = await machine.resolve();
    expect(compilersOf(await machine.resolve({ recipe: RECIPE, previous, architectures: ['amd64'] }))).toBeUndefined();
  });

  it.each([
    [
      'another version',
      PYTHON.map((deb) => ({ ...deb, version: deb.architecture === 'amd64' ? '3.13.6-1' : deb.version })),
    ],
    ['none', PYTHON.filter(({ name, architecture }) => name !== 'python3.13-minimal' || architecture === 'arm64')],
  ])('are left out with a warning when the suite has %s for this machine', async (_, debs) => {
    await using machine = await machineWith(debs, only);
    expect(compilersOf(await machine.resolve())).toBeUndefined();
    expect(machine.warnings).toEqual([expect.stringMatching(/^bytecode for arm64: .* for amd64, so this machine/)]);
  });
});

function tag(machine: string): string {
  return `cp313-cp313-manylinux_2_17_${machine}`;
}

function filesOf({ targets }: Resolution): readonly string[] {
  return [...targets.values()].flatMap(({ wheels }) => wheels.map(({ file }) => file));
}

/** Where nothing may be skipped, `machineWith` installs one. */
const WITHOUT_UV = process.env['SANDBOX_MUST_WORK'] !== '1' && skipWithoutPrograms('uv');

describe.skipIf(SKIP || WITHOUT_UV)('wheels for two architectures, by uv', { timeout: 60_000 }, () => {
  it('have the first one’s version, or say that there is no wheel of it', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'same', version: '1', requires: ['amdonly; platform_machine == "x86_64"'] },
        { name: 'amdonly', version: '1' },
        { name: 'native', version: '1', tag: tag('x86_64') },
        { name: 'native', version: '1', tag: tag('aarch64') },
        { name: 'native', version: '2', tag: tag('x86_64') },
      ],
    });
    const python = { file: 'r.txt', lines: ['same', 'native'], indexUrl: index.url };
    await using machine = await machineWith(PYTHON, { ...RECIPE, python });
    const { targets, differences } = await machine.resolve();
    const wheels = [...targets.values()].map((target) => target.wheels.map(({ file }) => file));
    expect(wheels).toEqual([
      ['amdonly-1-py3-none-any.whl', `native-2-${tag('x86_64')}.whl`, 'same-1-py3-none-any.whl'],
      [`native-1-${tag('aarch64')}.whl`, 'same-1-py3-none-any.whl'],
    ]);
    expect(differences).toEqual([
      'amdonly: 1 on amd64, none on arm64: its marker, or a package that needs it, is for amd64 only',
      'native: 2 on amd64, 1 on arm64: 2 has no wheel for arm64',
    ]);
  });

  it('are for the interpreter that there is now, whichever is locked', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'plain', version: '1' },
        { name: 'plain', version: '2', tag: 'cp313-none-any' },
      ],
    });
    const python = { file: 'r.txt', lines: ['plain'], indexUrl: index.url };
    const recipe = { ...RECIPE, python };
    await using machine = await machineWith(pythonDebs(12), recipe);
    const locked = await machine.resolve();
    expect(filesOf(locked)).toEqual(['plain-1-py3-none-any.whl', 'plain-1-py3-none-any.whl']);
    const again = { previous: locked, upgrade: 'all' } as const;
    expect(filesOf(await machine.resolve(again))).toEqual(filesOf(locked));
    const suites = { toysuite: pythonDebs(13) };
    await machine.archive.publish({ suites, architectures: ['amd64', 'arm64'], date: 'Sun, 13 Sep 2026 07:55:41 UTC' });
    expect(filesOf(await machine.resolve(again))).toEqual(['plain-2-cp313-none-any.whl', 'plain-2-cp313-none-any.whl']);
  });

  it('tell once what is wrong, though they are resolved beside the packages', async () => {
    await using index = await startToyIndex({ wheels: [{ name: 'plain', version: '1' }] });
    const python = { file: 'r.txt', lines: ['plain'], indexUrl: index.url };
    await using machine = await machineWith(pythonDebs(13), { ...RECIPE, python });
    const previous = await machine.resolve();
    await index.close();
    const failing = machine.resolve({ previous, upgrade: 'all' });
    await expect(failing).rejects.toMatchObject({
      problems: [{ code: expect.stringMatching(/^E_INDEX|^E_DOWNLOAD/) }],
    });
    expect(machine.warnings).toEqual([]);
  });
});
