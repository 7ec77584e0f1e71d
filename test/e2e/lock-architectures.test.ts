import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { rootcellar, workplace, type Ended } from '../support/command.ts';

/** Artifacts and identity of each architecture that a lockfile has. */
function targetsOf(lockfile: string): Readonly<Record<string, { readonly debs: unknown; readonly diff_id?: string }>> {
  return JSON.parse(readFileSync(lockfile, 'utf8')).targets;
}

it('lock --arch locks one architecture, and leaves the other as it is', async () => {
  await using work = await workplace();
  const lockfile = work.path('recipe/recipe.lock.json');
  const write = (architectures: string, packages: string): Promise<void> =>
    work.write({
      'recipe/recipe.yaml': `name: toy\narchitectures: [${architectures}]\nbase: { debian: { suite: trixie, packages: [${packages}] } }\n`,
    });
  const run = (verb: string, ...words: string[]): Promise<Ended> => rootcellar([verb, work.path('recipe'), ...words]);

  await write('amd64, arm64', 'libzstd1');
  expect(await run('lock', '--arch', 'aarch64')).toMatchObject({ status: 0 });
  const first = targetsOf(lockfile);
  expect(Object.keys(first)).toEqual(['linux/arm64']);
  const drift = { status: 1, stderr: expect.stringMatching(/E_LOCK_DRIFT\] .*has nothing for amd64[^]*lock .*amd64/) };
  expect(await run('build')).toMatchObject(drift);
  expect(await run('lock', '--check')).toMatchObject(drift);
  expect(await run('lock', '--check', '--arch', 'arm64')).toMatchObject({ status: 0 });

  expect(await run('lock')).toMatchObject({ status: 0 });
  const both = targetsOf(lockfile);
  expect(both).toMatchObject({ 'linux/amd64': expect.anything(), 'linux/arm64': first['linux/arm64'] });
  expect(await run('lock')).toMatchObject({ status: 0, stdout: expect.stringContaining('unchanged') });
  expect(await run('build', '-o', work.path('x-{arch}.tar'))).toMatchObject({ status: 0 });
  const built = targetsOf(lockfile);

  await write('amd64, arm64', 'libzstd1, libbz2-1.0');
  const mixed = { status: 1, stderr: expect.stringMatching(/E_LOCK_DRIFT\] --arch: .*since arm64 was locked/) };
  expect(await run('lock', '--arch', 'amd64')).toMatchObject(mixed);
  expect(targetsOf(lockfile)).toEqual(built);

  await write('amd64', 'libzstd1');
  expect(await run('lock')).toMatchObject({ status: 0 });
  expect(targetsOf(lockfile)).toEqual({ 'linux/amd64': built['linux/amd64'] });
  expect(await run('build', '--locked')).toMatchObject({ status: 0, stdout: expect.stringContaining('toy amd64') });
});
