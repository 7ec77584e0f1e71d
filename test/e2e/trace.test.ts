import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { copyRecipe, pythonImage, rootcellar, workplace } from '../support/command.ts';

const CURIOUS = [
  'import os, socket',
  's = socket.socket()',
  'os.sched_setaffinity(0, {0})',
  'pid = os.fork()',
  'if pid == 0: os._exit(0)',
  'print(os.waitpid(pid, 0)[1])',
].join('\n');

describe.skipIf(CANNOT_SANDBOX)('rootcellar trace', () => {
  beforeAll(async () => {
    await pythonImage();
  });

  it('lets a program do what its profile denies, and says what that was by name and group', async () => {
    await using work = await workplace();
    await work.write({ 'curious.py': CURIOUS });
    const { status, stdout, stderr } = await rootcellar(['trace', 'python', '--', work.path('curious.py')]);
    expect(stderr).toContain('0\n');
    expect(stdout).toMatch(/^clone +1 +@subprocess /m);
    expect(stdout).toMatch(/^sched_setaffinity +1 +sched_setaffinity$/m);
    expect(stdout).toMatch(/^socket +1 +@proxy-client /m);
    expect(stdout).toMatch(/^wait4 +1 +@subprocess$/m);
    expect(stdout).toContain('allow: ["@proxy-client", "@subprocess", sched_setaffinity]');
    expect(status).toBe(0);
  });

  it('finds nothing in a program that its profile is enough for', async () => {
    await using work = await workplace();
    await work.write({ 'plain.py': 'import json, threading\nthreading.Thread(target=print).start()\n' });
    const { stdout } = await rootcellar(['trace', 'python', '--', work.path('plain.py')]);
    expect(stdout).toBe('nothing beyond the profile `python`\n');
  });

  it('writes what is needed into the recipe, after which the program runs', async () => {
    await using work = await workplace();
    await work.write({ 'curious.py': CURIOUS });
    const recipe = await copyRecipe('python', work.path('recipe'), { locked: true });
    const denied = await rootcellar(['run', recipe, '--', work.path('curious.py')]);
    expect(denied.status).not.toBe(0);
    const traced = await rootcellar(['trace', recipe, '--write', '--', work.path('curious.py')]);
    expect(traced.stdout).toContain('added to the recipe: @proxy-client, @subprocess, sched_setaffinity');
    expect(await readFile(work.path('recipe/recipe.yaml'), 'utf8')).toContain('"@proxy-client", "@subprocess"');
    expect((await rootcellar(['lock', recipe])).status).toBe(0);
    const allowed = await rootcellar(['run', recipe, '--', work.path('curious.py')]);
    expect(allowed.stderr).not.toContain('denied');
    expect(allowed).toMatchObject({ status: 0, stdout: '0\n' });
  });

  it('writes to a recipe only', async () => {
    await using work = await workplace();
    await work.write({ 'p.py': '' });
    const { status, stderr } = await rootcellar(['trace', 'python', '--write', '--', work.path('p.py')]);
    expect(stderr).toContain('error[E_USAGE] --write: `python` is no recipe');
    expect(status).toBe(2);
  });
});
