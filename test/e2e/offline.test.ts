import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  namesBelow,
  pythonImage,
  rootcellar,
  sharedHome,
  workplace,
  type CommandOptions,
  type Ended,
  type Workplace,
} from '../support/command.ts';
import { startToyMachine, type ToyMachine } from '../support/toy-machine.ts';

/** A network namespace with no interface that is up: there is nothing to connect to, not even this machine. */
const NO_NETWORK = ['unshare', '--net'];
const NOBODY = 65_534;
const NOBODY_THERE = [...NO_NETWORK, 'setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

const GOOD = 'wheels/good-1.0-py3-none-any.whl';
const APP = 'debs/app_1%3a1.0-1_all.deb';

let machine: ToyMachine;
let work: Workplace;
let recipe = '';
let diffId = '';

beforeAll(async () => {
  machine = await startToyMachine({
    debs: [
      { name: 'app', version: '1:1.0-1', files: { 'usr/share/app': 'app' }, fields: { Depends: 'libone' } },
      { name: 'libone', version: '1' },
    ],
    wheels: [
      { name: 'good', version: '1.0' },
      { name: 'better', version: '2', requires: ['good'] },
    ],
  });
  work = await workplace();
  recipe = await machine.recipe(work.folder, {
    name: 'toy',
    packages: ['app', 'toy-python'],
    requirements: ['better'],
  });
  const built = await online(['build', recipe]);
  if (built.status !== 0) throw new Error(built.stderr);
  diffId = built.stdout.split(' ')[2] ?? '';
});

afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await work[Symbol.asyncDispose]();
});

beforeEach(({ skip }) => {
  if (!machine.hasUv) skip('uv could not be had');
});

/** With a network, and the store in which everything is built. */
async function online(words: readonly string[], home = work.path('full')): Promise<Ended> {
  return rootcellar(words, { home, environment: machine.environment });
}

async function offline(words: readonly string[], options: CommandOptions): Promise<Ended> {
  return rootcellar(words, { environment: machine.environment, through: NO_NETWORK, ...options });
}

/** The recipe and its lockfile in a folder of their own, with or without what was vendored. */
async function copied(place: Workplace, vendor: 'vendored' | 'bare'): Promise<string> {
  await cp(recipe, place.path('recipe'), { recursive: true });
  const ended = vendor === 'bare' ? undefined : await online(['vendor', place.path('recipe')]);
  if (ended !== undefined && ended.status !== 0) throw new Error(ended.stderr);
  return place.path('recipe');
}

describe('rootcellar vendor', () => {
  it('collects every artifact under its name, says what it took, and sha256sum agrees', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'bare');
    const ended = await online(['vendor', folder]);
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout).toMatch(/^ +\d+ B {2}debs\/app_1%3a1\.0-1_all\.deb$/m);
    expect(ended.stdout).toMatch(/vendor: 7 artifacts, [\d.]+ MiB; 0 were there already\n$/);
    expect(await readdir(place.path('recipe/vendor'))).toEqual(['SHA256SUMS', 'debs', 'wheels']);
    expect(await readdir(place.path('recipe/vendor/wheels'))).toEqual([
      'better-2-py3-none-any.whl',
      'good-1.0-py3-none-any.whl',
    ]);
    const check = ['--check', '--strict', '--quiet', 'SHA256SUMS'];
    execFileSync('sha256sum', check, { cwd: place.path('recipe/vendor') });
    expect((await readFile(place.path('recipe/vendor/SHA256SUMS'), 'utf8')).split('\n')).toHaveLength(8);
  });

  it('changes nothing when all is there, and needs neither network nor store for that', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    const before = await stat(place.path('recipe/vendor', GOOD));
    const ended = await offline(['vendor', folder, '--json', '-q'], { home: place.path('empty') });
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout.match(/"kept":true/g)).toHaveLength(7);
    expect(JSON.parse(ended.stdout)).toMatchObject({ event: 'result', others: [] });
    const after = await stat(place.path('recipe/vendor', GOOD));
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
  });

  it('gets only what is missing or wrong, and replaces a link, not what it points to', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    await place.write({ 'mine.txt': 'mine' });
    await rm(place.path('recipe/vendor', APP));
    await rm(place.path('recipe/vendor', GOOD));
    symlinkSync('../../../mine.txt', place.path('recipe/vendor', GOOD));
    const before = machine.archive.server.requests.length + machine.index.server.requests.length;
    const ended = await online(['vendor', folder], place.path('empty'));
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout).toContain('5 were there already');
    expect(ended.stderr).toContain(`vendor/${GOOD}\`: has 4 bytes, not `);
    expect(await readFile(place.path('mine.txt'), 'utf8')).toBe('mine');
    const requests = [...machine.archive.server.requests, ...machine.index.server.requests];
    expect(requests.length - before).toBe(3);
    execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: place.path('recipe/vendor') });
  });

  it('removes what the lockfile does not name only when it is told to, and never what is no artifact', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    const vendor = place.path('recipe/vendor');
    await place.write({ 'recipe/vendor/debs/old_1_all.deb': 'old', 'recipe/vendor/debs/README': 'read me' });
    const kept = await online(['vendor', folder]);
    expect(kept.stdout).toContain('1 more are there that the lockfile does not name; --prune removes them');
    expect(existsSync(`${vendor}/debs/old_1_all.deb`)).toBe(true);
    const pruned = await online(['vendor', folder, '--prune', '--json', '-q']);
    expect(JSON.parse(pruned.stdout)).toMatchObject({ removed: ['debs/old_1_all.deb'] });
    expect(existsSync(`${vendor}/debs/old_1_all.deb`)).toBe(false);
    expect(existsSync(`${vendor}/debs/README`)).toBe(true);
    expect(existsSync(`${vendor}/${APP}`)).toBe(true);
  });

  it('refuses without a lockfile, for another architecture, and where it may not write', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'bare');
    expect((await online(['vendor', folder, '--arch', 'arm64'])).stderr).toContain('error[E_USAGE] --arch');
    await place.write({ file: '' });
    const refused = await online(['vendor', folder, '-o', place.path('file/below')]);
    expect(refused.stderr).toContain('error[E_USAGE]');
    expect(refused.stderr).toContain('hint: give another path');
    await rm(place.path('recipe/recipe.lock.json'));
    expect((await online(['vendor', folder])).stderr).toContain('error[E_LOCK_MISSING]');
    expect(await namesBelow(place.path('recipe'))).not.toContain('vendor');
  });
});

describe('rootcellar build --offline, where there is no network at all', () => {
  it('builds from the vendor folder beside the recipe with an empty store', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    const built = await offline(['build', folder, '--offline', '-o', place.path('x.tar')], {
      home: place.path('empty'),
    });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toContain(diffId);
    expect(await namesBelow(place.path('empty/tmp'))).toEqual([]);
    expect((await offline(['lock', folder, '--check'], { home: place.path('empty') })).status).toBe(0);
    expect((await offline(['lock', folder], { home: place.path('empty') })).stdout).toContain('unchanged');
    expect((await offline(['verify', 'toy'], { home: place.path('empty') })).status).toBe(0);
  });

  it('builds from a vendor folder elsewhere, copied, read-only, and as another user than its owner', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    await rename(place.path('recipe/vendor'), place.path('disk'));
    execFileSync('chmod', ['-R', 'a-w,a+rX', place.path('disk')]);
    mkdirSync(place.path('home'));
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, place.path('recipe'), place.path('home')]);
    chmodSync(place.folder, 0o755);
    const words = ['build', folder, '--offline', '--vendor', place.path('disk')];
    const built = await offline(words, { home: place.path('home/store'), through: NOBODY_THERE });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toContain(diffId);
  });

  it('builds from what the store has, with no vendor folder', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'bare');
    mkdirSync(place.path('store'));
    await cp(work.path('full/artifacts'), place.path('store/artifacts'), { recursive: true });
    const built = await offline(['build', folder, '--offline'], { home: place.path('store') });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toContain(diffId);
  });

  it('names all that is missing in one error, with what to do', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    await rm(place.path('recipe/vendor', GOOD));
    await rm(place.path('recipe/vendor', APP));
    const { status, stderr } = await offline(['build', folder, '--offline'], { home: place.path('empty') });
    expect(status).toBe(1);
    expect(stderr.match(/^error\[/gm)).toHaveLength(1);
    expect(stderr).toContain(
      `error[E_OFFLINE] 2 artifacts for amd64 are not in the store or in \`${place.path('recipe/vendor')}\`:\n` +
        '  deb `app_1.0-1_all.deb`\n  wheel `good-1.0-py3-none-any.whl`\n' +
        `  hint: rootcellar vendor ${folder}, where there is a network`,
    );
    expect(await namesBelow(place.path('empty/tmp'))).toEqual([]);
    const bare = await offline(['build', recipe, '--offline'], { home: place.path('bare') });
    expect(bare.stderr).toMatch(/7 artifacts for amd64 are not in the store:\n( {2}\S+ `.+`\n){7}/);
  });

  it('names and refuses vendored files with wrong bytes, whatever they are', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    const good = place.path('recipe/vendor', GOOD);
    const bytes = await readFile(good);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    await writeFile(good, bytes);
    await truncate(place.path('recipe/vendor', APP), 100);
    await rm(place.path('recipe/vendor/wheels/better-2-py3-none-any.whl'));
    execFileSync('mkfifo', [place.path('recipe/vendor/wheels/better-2-py3-none-any.whl')]);
    const { status, stderr } = await offline(['build', folder, '--offline'], { home: place.path('empty') });
    expect(status).toBe(1);
    expect(stderr.match(/^error\[E_DIGEST_MISMATCH\]/gm)).toHaveLength(3);
    expect(stderr).toContain(`vendor/${GOOD}\` has other bytes than the lockfile promises`);
    expect(stderr).toMatch(/debs\/app_1%3a1\.0-1_all\.deb` has 100 bytes, not \d+\n/);
    expect(stderr).toContain('better-2-py3-none-any.whl` is no regular file');
    expect(stderr).toContain('hint: rootcellar vendor');
    expect(await namesBelow(place.path('empty/artifacts'))).toHaveLength(4);
  });

  it('refuses what it would have to resolve, and leaves nothing', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'bare');
    await rm(place.path('recipe/recipe.lock.json'));
    const { status, stderr } = await offline(['build', folder, '--offline'], { home: place.path('empty') });
    expect(status).toBe(1);
    expect(stderr).toContain('error[E_LOCK_MISSING]');
    expect(stderr).toContain('making one needs the network');
    expect(stderr).toContain(`hint: rootcellar lock ${folder}, where there is a network`);
    expect(await readdir(folder)).toEqual(['recipe.yaml', 'requirements.txt']);
    const nowhere = await offline(['build', recipe, '--offline', '--vendor', place.path('no')], {
      home: place.path('x'),
    });
    expect(nowhere).toMatchObject({ status: 2 });
    expect(nowhere.stderr).toContain('is no folder');
  });

  it('builds a real image from vendored Debian packages, as nobody', async () => {
    await pythonImage();
    await using place = await workplace();
    await cp(`${sharedHome()}/../python`, place.path('python'), { recursive: true });
    const vendored = await offline(['vendor', place.path('python')], { home: sharedHome() });
    expect(vendored).toMatchObject({ status: 0 });
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, place.folder]);
    const built = await offline(['build', place.path('python'), '--offline', '--locked'], {
      home: place.path('store'),
      through: NOBODY_THERE,
    });
    expect(built).toMatchObject({ status: 0 });
    const images = await rootcellar(['images', '--json', '-q']);
    const [diffIdOfBuild = 'none'] = /sha256:[0-9a-f]{64}/.exec(built.stdout) ?? [];
    expect(JSON.parse(images.stdout).images).toContainEqual(
      expect.objectContaining({ name: 'python', diff_id: diffIdOfBuild }),
    );
  });
});

describe('a build with a network and a vendor folder', () => {
  it('takes from the folder what is right there, and the rest from the network', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'vendored');
    await truncate(place.path('recipe/vendor', GOOD), 10);
    const before = machine.index.server.requests.length + machine.archive.server.requests.length;
    const built = await online(['build', folder], place.path('empty'));
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toContain(diffId);
    expect(built.stderr).toContain('6 of 7 artifacts from');
    expect(built.stderr).toMatch(/warning: .*vendor\/wheels\/good.* has 10 bytes, not/);
    const after = machine.index.server.requests.length + machine.archive.server.requests.length;
    expect(after - before).toBe(2);
    expect(machine.index.server.requests.at(-1)).toBe('GET /files/good-1.0-py3-none-any.whl');
  });
});

describe('a lockfile whose sizes were edited', () => {
  it('is refused with a warm store too, and by name', async () => {
    await using place = await workplace();
    const folder = await copied(place, 'bare');
    const file = place.path('recipe/recipe.lock.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/("name": ?"libone".*"size": ?)(\d+)/, '$17'));
    expect(await readFile(file, 'utf8')).not.toBe(text);
    for (const words of [
      ['build', folder],
      ['build', folder, '-o', place.path('x.tar')],
      ['vendor', folder],
    ]) {
      const { status, stderr } = await online(words);
      expect(status).toBe(1);
      expect(stderr).toContain('error[E_DIGEST_MISMATCH] deb `libone_1_all.deb`: the lockfile says 7 bytes');
    }
    expect(await namesBelow(place.folder)).not.toContain('x.tar');
  });
});
