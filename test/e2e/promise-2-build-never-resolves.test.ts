import { cp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { COMMAND, copyRecipe, pythonImage, rootcellar, sharedHome, workplace } from '../support/command.ts';

describe('promise 2: a build never resolves, a lock never drifts', () => {
  beforeAll(pythonImage);

  it('builds from lockfile and downloads alone, without a network and without any resolver on the path', async () => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    await cp(join(sharedHome(), '../python/recipe.lock.json'), work.path('recipe/recipe.lock.json'));
    await cp(join(sharedHome(), 'artifacts'), work.path('store/artifacts'), { recursive: true });
    await work.write({ 'bin/none': '' });
    // `flock`, `sync` and `xz` are tools of the build, apt, uv and pip are not among them.
    await Promise.all(['flock', 'sync', 'xz', 'cat'].map((name) => cp(`/usr/bin/${name}`, work.path('bin', name))));
    const built = await rootcellar(['build', recipe, '--locked'], {
      home: work.path('store'),
      through: ['/usr/bin/unshare', '--net'],
      environment: { PATH: work.path('bin') },
    });
    expect(built).toMatchObject({ status: 0 });
    expect(built.stdout).toMatch(/^python amd64 sha256:[0-9a-f]{64} /);
  });

  it('refuses a lockfile that does not match its recipe, and says what changed', async () => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    const lockfile = work.path('recipe/recipe.lock.json');
    await cp(join(sharedHome(), '../python/recipe.lock.json'), lockfile);
    const yaml = await readFile(work.path('recipe/recipe.yaml'), 'utf8');
    await writeFile(work.path('recipe/recipe.yaml'), yaml.replace('python3-socks', 'python3-yaml'));
    const before = await readFile(lockfile);
    for (const words of [
      ['build', recipe],
      ['build', recipe, '--locked'],
      ['lock', recipe, '--check'],
    ]) {
      const { status, stderr } = await rootcellar(words);
      expect(status).toBe(1);
      expect(stderr).toContain('error[E_LOCK_DRIFT]');
      expect(stderr).toContain('base.debian.packages');
      expect(stderr).toContain('- python3-socks');
      expect(stderr).toContain('+ python3-yaml');
      expect(stderr).toContain('hint: run `rootcellar lock');
    }
    expect(await readFile(lockfile)).toEqual(before);
  });

  it('refuses a build without a lockfile where none may be made, and else makes one and says so', async () => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    const refused = await rootcellar(['build', recipe, '--locked']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('error[E_LOCK_MISSING]');
    const built = await rootcellar(['build', recipe]);
    expect(built.status).toBe(0);
    expect(built.stderr).toContain('there was no lockfile, so one was made');
    expect((await rootcellar(['lock', recipe, '--check'])).status).toBe(0);
  });

  it('is the same under the name `build-rootfs`', async () => {
    const command = join(dirname(COMMAND), 'build-rootfs.js');
    const environment = { ROOTCELLAR_HOME: sharedHome() };
    const built = await execa(process.execPath, [command, join(sharedHome(), '../python'), '--json'], {
      env: environment,
    });
    expect(JSON.parse(built.stdout)).toMatchObject({ event: 'result', name: 'python', architecture: 'amd64' });
    const help = await execa(process.execPath, [command, '-h']);
    expect(help.stdout).toContain('Usage: build-rootfs [options] <recipe>');
  });

  it('refuses to call other bytes the promised image', async () => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    const text = await readFile(join(sharedHome(), '../python/recipe.lock.json'), 'utf8');
    await writeFile(work.path('recipe/recipe.lock.json'), text.replace(/("diff_id": "sha256:)..../, '$10000'));
    const { status, stderr } = await rootcellar(['build', recipe, '-o', work.path('x.tar')]);
    expect(status).toBe(1);
    expect(stderr).toContain('error[E_NOT_REPRODUCED]');
  });
});
