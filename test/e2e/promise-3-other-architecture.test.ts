import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootcellar, sharedHome, workplace, type Ended, type Workplace } from '../support/command.ts';
import { filesEnding, layOut } from '../support/rootfs-tree.ts';

const NOBODY = 65_534;

/** What this machine does not run by itself, and what runs it. */
const OTHER =
  process.arch === 'x64'
    ? { name: 'arm64', machine: 'aarch64', loader: 'lib/ld-linux-aarch64.so.1' }
    : { name: 'amd64', machine: 'x86_64', loader: 'lib64/ld-linux-x86-64.so.2' };
const OWN = process.arch === 'x64' ? 'amd64' : 'arm64';
const QEMU = `qemu-${OTHER.machine}`;
const HAS_QEMU = spawnSync(QEMU, ['--version']).status === 0;

/** Makes the command take this machine for the other one. */
const OTHER_MACHINE = join(import.meta.dirname, '../support/other-machine.mjs');

/** `libc-bin` has the architecture's own ldconfig, to ask it what it makes of our cache. */
const FROM_PYPI = { packages: 'python3, libstdc++6, libc-bin', python: 'python: { requirements: requirements.txt }\n' };
/** The same without a package index. */
const FROM_DEBIAN = { packages: 'python3, python3-numpy, libc-bin', python: '' };

/** Tools of a build. Among them is nothing that runs programs of another machine. */
const TOOLS = ['apt-config', 'apt-get', 'cat', 'flock', 'sh', 'sync', 'xz'];

interface LockText {
  readonly targets: Readonly<Record<string, Readonly<Record<'debs' | 'wheels', readonly Package[]>>>>;
  readonly differences?: readonly string[];
}

interface Package {
  readonly name: string;
  readonly version: string;
}

describe.skipIf(!HAS_QEMU && process.env['SANDBOX_MUST_WORK'] !== '1')('promise 3: the other architecture', () => {
  let work: Workplace;
  let built: Ended;
  const root = (architecture: string): string => work.path(architecture);
  const asNobody = (words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    rootcellar(words, {
      home: work.path('store'),
      uid: NOBODY,
      environment: { HOME: work.path('home'), ...environment },
    });
  const inRoot = (words: readonly string[], settings: readonly string[] = []): ReturnType<typeof spawnSync> =>
    spawnSync(QEMU, ['-L', root(OTHER.name), ...settings, ...words], { encoding: 'utf8' });

  async function lockBoth({ packages, python }: typeof FROM_PYPI): Promise<Ended> {
    await work.write({
      'recipe/recipe.yaml': `name: both\narchitectures: [amd64, arm64]\nbase: { debian: { suite: trixie, packages: [${packages}] } }\n${python}`,
      'recipe/requirements.txt': 'numpy\n',
    });
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, work.path('recipe')]);
    return await asNobody(['lock', work.path('recipe')]);
  }

  beforeAll(async () => {
    work = await workplace();
    chmodSync(work.folder, 0o755);
    for (const name of ['store', 'out', 'home', 'bin', 'recipe']) mkdirSync(work.path(name));
    for (const tool of TOOLS) symlinkSync(`/usr/bin/${tool}`, work.path('bin', tool));
    const artifacts = join(sharedHome(), 'artifacts');
    if (existsSync(artifacts)) cpSync(artifacts, work.path('store/artifacts'), { recursive: true });
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, work.path('store')]);
    for (const name of ['out', 'home']) chownSync(work.path(name), NOBODY, NOBODY);

    let locked = await lockBoth(FROM_PYPI);
    if (/error\[E_(?:DOWNLOAD|INDEX_UNKNOWN|RESOLVER_MISSING)\]/.test(locked.stderr)) {
      console.warn(`NOT TESTED: wheels of the other architecture; no package index is in reach:\n${locked.stderr}`);
      locked = await lockBoth(FROM_DEBIAN);
    }
    if (locked.status !== 0) throw new Error(`the recipe cannot be locked:\n${locked.stderr}`);
    const words = [
      'build',
      work.path('recipe'),
      '--arch',
      'arm64',
      '--arch',
      'amd64',
      '-o',
      work.path('out/{arch}.tar'),
    ];
    built = await asNobody(words, { PATH: work.path('bin') });
    for (const name of built.status === 0 ? ['amd64', 'arm64'] : []) layOut(work.path(`out/${name}.tar`), root(name));
  });

  afterAll(() => work[Symbol.asyncDispose]());

  it('is built in one go with this machine’s own, without root and without any emulator', () => {
    expect(built).toMatchObject({ status: 0, stderr: expect.not.stringContaining('error[') });
    expect(built.stdout).toMatch(/^both amd64 sha256:[0-9a-f]{64} .*\nboth arm64 sha256:[0-9a-f]{64} .*\n$/);
  });

  it('had nothing of it run, since nothing of it can be run here', () => {
    const tried = spawnSync(join(root(OTHER.name), 'usr/bin/python3.13'), ['-c', 'print(6 * 7)'], { encoding: 'utf8' });
    if (tried.stdout === '42\n') {
      console.warn(`NOT PROVEN: this kernel runs ${OTHER.name} programs by itself (binfmt_misc)`);
      return;
    }
    // The kernel knows no such format: what fails here failed in every process of the build.
    expect(tried.status).not.toBe(0);
    expect(readdirSync(work.path('bin')).toSorted()).toEqual(TOOLS);
  });

  it('has the same versions, but where the lockfile says so', () => {
    const lock: LockText = JSON.parse(readFileSync(work.path('recipe/recipe.lock.json'), 'utf8'));
    const versions = (architecture: string): readonly string[] => {
      const { debs = [], wheels = [] } = lock.targets[`linux/${architecture}`] ?? {};
      return [...debs, ...wheels].map(({ name, version }) => `${name} ${version}`);
    };
    const [amd, arm] = [versions('amd64'), versions('arm64')];
    const differing = [...amd.filter((one) => !arm.includes(one)), ...arm.filter((one) => !amd.includes(one))];
    const told = (lock.differences ?? []).map((line) => line.split(': ')[0]);
    expect(new Set(differing.map((one) => one.split(' ')[0]))).toEqual(new Set(told));
    expect(amd.length).toBeGreaterThan(20);
  });

  it('runs numpy with its own Python', () => {
    const code = 'import numpy, platform; a = numpy.eye(3) * 4; print(platform.machine(), numpy.linalg.inv(a)[2, 2])';
    const { stdout, stderr } = inRoot([join(root(OTHER.name), 'usr/bin/python3.13'), '-I', '-c', code]);
    expect({ stdout, stderr }).toEqual({ stdout: `${OTHER.machine} 0.25\n`, stderr: '' });
  });

  it('has an ld.so.cache that its own loader finds libraries by, and its own ldconfig reads', () => {
    const other = root(OTHER.name);
    const program = join(other, 'usr/bin/python3.13');
    const { stdout, stderr } = inRoot(['-E', 'LD_DEBUG=libs', join(other, OTHER.loader), '--list', program]);
    expect(stdout).toContain('libc.so.6 => /lib/');
    expect(stdout).not.toContain('not found');
    const searches = String(stderr).split('find library=').slice(1);
    expect(searches.length).toBeGreaterThan(3);
    for (const search of searches) {
      expect(search).toContain('search cache=/etc/ld.so.cache');
      expect(search).not.toContain('(system search path)');
    }
    const printed = inRoot([join(other, 'usr/sbin/ldconfig'), '-p', '-C', join(other, 'etc/ld.so.cache')]);
    const rows = [...String(printed.stdout).matchAll(/^\t(\S+) \(([^)]*)\) => (\S+)$/gm)];
    expect(Number(/^(\d+) libs found/.exec(String(printed.stdout))?.[1])).toBe(rows.length);
    expect(rows.map(([, soname]) => soname)).toContain('libz.so.1');
    for (const [, , kind, path] of rows) {
      expect(kind).toBe(OTHER.name === 'arm64' ? 'libc6,AArch64' : 'libc6,x86-64');
      expect(existsSync(join(other, path ?? ''))).toBe(true);
    }
  });

  it('has what belongs to its architecture, and nothing of this one’s', () => {
    expect(existsSync(join(root('arm64'), 'lib64'))).toBe(false);
    expect(existsSync(join(root('amd64'), 'lib64/ld-linux-x86-64.so.2'))).toBe(true);
    for (const name of ['amd64', 'arm64']) {
      expect(readdirSync(join(root(name), '.rootcellar/filters'))).toEqual([`${name}.bpf`]);
      const manifest = JSON.parse(readFileSync(join(root(name), '.rootcellar/manifest.json'), 'utf8'));
      expect(manifest.architecture).toBe(name);
    }
    expect(
      existsSync(join(root(OTHER.name), `usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`)),
    ).toBe(false);
  });

  it('has the same bytecode for the same sources', () => {
    const [amd, arm] = [filesEnding(root('amd64'), '.py'), filesEnding(root('arm64'), '.py')];
    const same = [...amd].filter(([path, content]) => arm.get(path)?.equals(content) === true);
    expect(same.length).toBeGreaterThan(500);
    const [amdCode, armCode] = [filesEnding(root('amd64'), '.pyc'), filesEnding(root('arm64'), '.pyc')];
    const other = same.filter(([path]) => {
      const [one, two] = [amdCode.get(bytecodeOf(path)), armCode.get(bytecodeOf(path))];
      return one === undefined || two === undefined ? one !== two : !one.equals(two);
    });
    expect(other.map(([path]) => path)).toEqual([]);
    expect(armCode.size).toBeGreaterThan(500);
  });

  it(`is not needed: a machine that is ${OTHER.name} gives the same bytes for ${OWN}`, async () => {
    await work.write({
      'mini/recipe.yaml': `name: mini\narchitectures: [${OWN}]\nbase: { debian: { suite: trixie, packages: [python3-minimal] } }\n`,
    });
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, work.path('mini')]);
    const recipe = work.path('mini');
    const first = await asNobody(['build', recipe]);
    expect(first).toMatchObject({ status: 0 });

    const home = work.path('there');
    cpSync(work.path('store/artifacts'), join(home, 'artifacts'), { recursive: true });
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, home]);
    const there = { ROOTCELLAR_HOME: home, NODE_OPTIONS: `--import ${OTHER_MACHINE}` };
    const refused = await asNobody(['build', recipe, '--locked'], there);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('error[E_BYTECODE]') });
    const locked = await asNobody(['lock', recipe], there);
    expect(locked).toMatchObject({ status: 0, stdout: expect.stringContaining('written') });
    const second = await asNobody(['build', recipe, '--locked'], there);
    expect(second).toMatchObject({ status: 0, stdout: first.stdout });
    expect(second.stderr).toMatch(/compile: \d{3} Python files/);
  });
});

function bytecodeOf(source: string): string {
  return source.replace(/([^/]+)\.py$/, '__pycache__/$1.cpython-313.pyc');
}
