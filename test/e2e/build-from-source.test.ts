import { readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLockfile } from '../../src/lock/lockfile-parser.ts';
import type { LockedTarget } from '../../src/lock/lockfile.ts';
import type { WheelArtifact } from '../../src/resolve/resolution.ts';
import { rootcellar, sharedHome, workplace, type Ended, type Workplace } from '../support/command.ts';
import { startToyIndex, type ToyIndex } from '../support/toy-index.ts';
import { toyRepository } from '../support/toy-repository.ts';
import { toyProject, type ToyProject } from '../support/toy-source.ts';

const PATH = (process.env['PATH'] ?? '').split(delimiter);
const WITHOUT_UV = PATH.filter((one) => spawnSync(join(one, 'uv'), ['--version']).status !== 0).join(delimiter);

const BACKEND = `
import os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    version = os.environ['SETUPTOOLS_SCM_PRETEND_VERSION']
    with zipfile.ZipFile(os.path.join(folder, f'toy_commit-{version}-py3-none-any.whl'), 'w') as wheel:
        wheel.writestr('toy_commit.py', f'FROM = {open("message").read()!r}')
        info = f'toy_commit-{version}.dist-info/'
        wheel.writestr(info + 'METADATA', f'Metadata-Version: 2.1\\nName: toy-commit\\nVersion: {version}\\n')
        wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr(info + 'RECORD', '')
    return f'toy_commit-{version}-py3-none-any.whl'
`;

const PROJECTS: readonly ToyProject[] = [
  // Only building tells that 2.0 cannot be had: what it depends on does not exist.
  { name: 'by-build', version: '2.0', requires: ['toy-dep>=9'] },
  { name: 'by-build', version: '1.0', requires: ['toy-dep', 'by-text'] },
  { name: 'by-text', version: '1.0', requires: ['toy-dep<2'], metadata: '2.2' },
  { name: 'not-needed', version: '1.0' },
];

let work: Workplace;
let index: ToyIndex;

beforeAll(async () => {
  work = await workplace();
  const sources = PROJECTS.map(async (project) => {
    return [`${project.name.replaceAll('-', '_')}-${project.version}.tar.gz`, await toyProject(project)] as const;
  });
  index = await startToyIndex({
    wheels: [
      { name: 'toy-dep', version: '1.0' },
      { name: 'toy-dep', version: '2.0' },
      // Wheels of what is to be built: one without a source, one of the same version.
      { name: 'by-text', version: '5.0' },
      { name: 'by-text', version: '1.0' },
    ],
    sources: Object.fromEntries(await Promise.all(sources)),
  });
  const backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n';
  const files = { 'pyproject.toml': backend, 'backend.py': BACKEND };
  toyRepository(work.folder, 'toy', [
    ['one', { ...files, message: 'first' }, 'v1.5'],
    ['two', { message: 'second' }],
  ]);
});

afterAll(async () => {
  await index.close();
  await work[Symbol.asyncDispose]();
});

async function recipe(name: string, requirements: string, more = ''): Promise<string> {
  await work.write({
    [`${name}/recipe.yaml`]: `name: ${name}
base: { debian: { suite: trixie, packages: [python3] } }
python:
  requirements: python-requirements.txt
  index_url: ${index.url}
${more}`,
    [`${name}/python-requirements.txt`]: requirements,
  });
  return work.path(name);
}

const ALL = 'build_from_source: [by_build, by-text, Not.Needed, toy-commit]';

async function lockedTarget(folder: string): Promise<LockedTarget> {
  const lock = parseLockfile(await readFile(join(folder, 'recipe.lock.json'), 'utf8'), 'recipe.lock.json');
  const target = lock.targets.get('amd64');
  if (target === undefined) throw new Error('nothing is locked');
  return target;
}

function wheelOf({ wheels }: LockedTarget, name: string): WheelArtifact {
  const wheel = wheels.find((one) => one.name === name);
  if (wheel === undefined) throw new Error(`${name} is not locked`);
  return wheel;
}

/** What a run of `lock` or `build` prints when it works. */
function expectDone(ended: Ended): void {
  expect(`${ended.status} ${ended.stderr}`).toMatch(/^0 /);
}

describe('packages that are built from source', () => {
  it('are chosen, built, locked and installed, by uv and by pip alike', async () => {
    const lines = `by-build\ntoy-commit @ git+file://${work.folder}/toy.git@v1.5 ; python_version > "3"\n`;
    const folder = await recipe('sources', lines, `  ${ALL}\n`);
    expectDone(await rootcellar(['lock', folder]));
    const target = await lockedTarget(folder);
    expect(target.wheels.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'by-build 1.0',
      'by-text 1.0',
      'toy-commit 1.5',
      'toy-dep 1.0',
    ]);
    expect(wheelOf(target, 'by-text').builtFrom).toMatchObject({
      source: { kind: 'sdist', file: 'by_text-1.0.tar.gz', version: '1.0' },
      requirements: [],
    });
    expect(wheelOf(target, 'toy-commit').builtFrom?.source).toMatchObject({
      kind: 'git',
      revision: 'v1.5',
      tag: 'v1.5',
    });
    const text = await readFile(join(folder, 'recipe.lock.json'), 'utf8');
    expect(text).not.toContain(work.folder);

    await rm(join(folder, 'recipe.lock.json'));
    expectDone(await rootcellar(['lock', folder], { environment: { PATH: WITHOUT_UV } }));
    expect((await lockedTarget(folder)).wheels).toEqual(target.wheels);

    expectDone(await rootcellar(['build', folder]));
    const code = 'import by_build, by_text, toy_commit; print(by_build.FROM, by_text.FROM, toy_commit.FROM)';
    expect((await rootcellar(['run', 'sources', '-c', code])).stdout).toBe('source source first\n');
  });

  it('are built again where the store has no wheel, to the same bytes', async () => {
    const folder = work.path('sources');
    const target = await lockedTarget(folder);
    const built = target.wheels.filter(({ builtFrom }) => builtFrom !== undefined);
    const remove = async (): Promise<void> => {
      await Promise.all(
        built.map(({ digest }) => rm(join(sharedHome(), 'artifacts', digest.slice(7)), { force: true })),
      );
      await Promise.all(
        ['unpacked', 'inputs', 'cache/built-wheels'].map((name) =>
          rm(join(sharedHome(), name), { recursive: true, force: true }),
        ),
      );
    };
    await remove();
    // The source of the commit is fetched again too.
    const commit = wheelOf(target, 'toy-commit').builtFrom?.source.digest ?? '';
    await rm(join(sharedHome(), 'artifacts', commit.slice(7)));
    expectDone(await rootcellar(['build', folder, '--locked']));

    await remove();
    const lockfile = join(folder, 'recipe.lock.json');
    const text = await readFile(lockfile, 'utf8');
    const { digest } = wheelOf(target, 'by-build');
    await writeFile(lockfile, text.replace(digest, `sha256:${'0'.repeat(64)}`));
    const other = await rootcellar(['build', folder, '--locked']);
    expect(other).toMatchObject({ status: 1, stdout: '' });
    expect(other.stderr).toContain('error[E_NOT_REPRODUCED] wheel of `by-build`: the lockfile promises 000000000000');
    expect(other.stderr).toContain('rootcellar lock --upgrade-package by-build');
    await writeFile(lockfile, text);
  });

  it('stay at their commit until they are to be upgraded', async () => {
    const folder = work.path('sources');
    const before = wheelOf(await lockedTarget(folder), 'toy-commit');
    spawnSync('git', ['tag', '--force', 'v1.5', 'main'], { cwd: work.path('toy.git') });
    const requirements = join(folder, 'python-requirements.txt');
    await writeFile(requirements, `${await readFile(requirements, 'utf8')}toy-dep\n`);
    expectDone(await rootcellar(['lock', folder]));
    expect(wheelOf(await lockedTarget(folder), 'toy-commit')).toEqual(before);
    expectDone(await rootcellar(['lock', folder, '--upgrade-package', 'toy-commit']));
    expect(wheelOf(await lockedTarget(folder), 'toy-commit').digest).not.toBe(before.digest);
  });

  it('are refused when they are not allowed by name', async () => {
    const named = await rootcellar(['lock', await recipe('unnamed', 'by-build\n')]);
    expect(named.status).toBe(1);
    expect(named.stderr).toMatch(
      /error\[E_REQUIREMENT_NO_WHEEL\] .*python-requirements.txt:1:1: python requirement `by-build`/,
    );
    expect(named.stderr).toContain('add `by-build` to `python.build_from_source`');
    const commit = await rootcellar([
      'lock',
      await recipe('commit', 'toy-commit @ git+https://example.invalid/x.git\n'),
    ]);
    expect(commit.stderr).toContain('error[E_REQUIREMENT_SYNTAX]');
    expect(commit.stderr).toContain('python-requirements.txt:1');
    expect(commit.stderr).toContain('build_from_source: [toy-commit]');
    const absent = await rootcellar(['lock', await recipe('absent', 'toy-dep\n', '  build_from_source: [toy-dep]\n')]);
    expect(absent.stderr).toContain('`toy-dep`: the package index has no source distribution');
  });

  it('are never built outside of a cell', async () => {
    const folder = await recipe('nobody', 'by-build\n', `  ${ALL}\n`);
    // Without capabilities, no cell with a root of its own can be made.
    const weak = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all'];
    const ended = await rootcellar(['lock', folder], { through: weak });
    expect(ended.status).not.toBe(0);
    expect(ended.stderr).toContain('error[E_SANDBOX]');
  });

  it('may be in C, with the compiler from Debian and the source from the real index', async ({ skip }) => {
    await work.write({
      'real/recipe.yaml': `name: real
base: { debian: { suite: trixie, packages: [python3] } }
python:
  requirements: python-requirements.txt
  build_from_source: [markupsafe]
  build_packages: [gcc, libc6-dev, python3-dev]
`,
      'real/python-requirements.txt': 'markupsafe==3.0.2\n',
    });
    const locked = await rootcellar(['lock', work.path('real')]);
    if (/error\[(?:E_DOWNLOAD|E_INDEX_UNKNOWN)\]/.test(locked.stderr)) {
      console.warn(`NOT TESTED: no package index can be reached:\n${locked.stderr}`);
      skip();
      return;
    }
    expectDone(locked);
    const { wheels, buildDebs = [], debs } = await lockedTarget(work.path('real'));
    expect(wheels.map(({ file }) => file)).toEqual(['markupsafe-3.0.2-cp313-cp313-linux_x86_64.whl']);
    expect(wheels[0]?.builtFrom?.requirements.map(({ name }) => name)).toEqual(['setuptools']);
    expect(buildDebs.map(({ name }) => name)).toEqual(expect.arrayContaining(['gcc', 'libc6-dev', 'python3-dev']));
    expect(debs.map(({ name }) => name)).not.toContain('gcc');
  });
});
