import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';

const VOCABULARY = { profiles: ['python'], groups: [], syscalls: [] };
const HEAD = 'name: x\nbase: { debian: { suite: trixie, packages: [python3] } }\n';
const made: string[] = [];

afterEach(async () => {
  await Promise.all(made.splice(0).map(async (folder) => await rm(folder, { recursive: true })));
});

/** A real folder `recipe` that holds `files`, and beside it a file `secret`. */
async function recipeFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const above = await realpath(await mkdtemp(join(tmpdir(), 'recipe-files-')));
  made.push(above);
  const folder = join(above, 'recipe');
  await mkdir(join(folder, 'conf'), { recursive: true });
  await writeFile(join(above, 'secret'), 'secret');
  await Promise.all(Object.entries(files).map(async ([name, content]) => await writeFile(join(folder, name), content)));
  return folder;
}

async function problemsOf(path: string): Promise<string[]> {
  try {
    await readRecipe(path, VOCABULARY);
    return [];
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ code, message, place }) => `${place?.line}:${place?.column} ${code} ${message}`);
  }
}

describe('readRecipe()', () => {
  it('reads a folder or a file, and all that the recipe names', async () => {
    const text = `${HEAD}python: { requirements: r.txt }\nfiles: { /etc/b: { from: conf/b, mode: "0600" }, /etc/a: "é" }\n`;
    const folder = await recipeFolder({
      'recipe.yaml': text,
      'r.txt': 'numpy # fast\n',
      'conf/b': Buffer.from([0, 255]),
    });
    const recipe = await readRecipe(folder, VOCABULARY);
    expect(recipe.file).toBe(join(folder, 'recipe.yaml'));
    expect(recipe.python).toMatchObject({ file: 'r.txt', lines: ['numpy'], indexUrl: undefined });
    expect(recipe.files).toEqual([
      { path: 'etc/a', mode: 0o644, content: Buffer.from('é') },
      { path: 'etc/b', mode: 0o600, content: Buffer.from([0, 255]) },
    ]);
    expect(recipe.sources).toEqual([
      { path: 'conf/b', digest: digestOf(Buffer.from([0, 255])) },
      { path: 'r.txt', digest: digestOf('numpy # fast\n') },
      { path: 'recipe.yaml', digest: digestOf(text) },
    ]);
    expect(await readRecipe(join(folder, 'recipe.yaml'), VOCABULARY)).toEqual(recipe);
  });

  it('names a recipe that is not there', async () => {
    const folder = await recipeFolder({});
    const paths = [folder, join(folder, 'none'), join(folder, 'none/none'), 'a\0b', 'x'.repeat(5000)];
    const problems = await Promise.all(paths.map(problemsOf));
    expect(problems).toEqual(paths.map(() => [expect.stringMatching(/E_RECIPE_NOT_FOUND .*does not exist$/)]));
  });

  it('reports all missing and escaping files together, where the recipe names them', async () => {
    const text = `${HEAD}python:\n  requirements: none.txt\nfiles:\n  /etc/a: { from: link }\n  /etc/b: { from: conf }\n  /etc/c: { from: loop }\n  /etc/d: { from: up/secret }\n`;
    const folder = await recipeFolder({ 'recipe.yaml': text });
    await symlink('../secret', join(folder, 'link'));
    await symlink('loop', join(folder, 'loop'));
    await symlink('..', join(folder, 'up'));
    expect(await problemsOf(folder)).toEqual([
      '4:17 E_RECIPE_NOT_FOUND `none.txt` does not exist',
      '6:19 E_RECIPE_PATH `link` leaves the folder of the recipe through a symbolic link',
      '7:19 E_RECIPE_VALUE `conf` is not a regular file',
      '8:19 E_RECIPE_VALUE `loop` is a symbolic link that leads in a circle',
      '9:19 E_RECIPE_PATH `up/secret` leaves the folder of the recipe through a symbolic link',
    ]);
  });

  it('does not take a folder whose name only begins like its own for its own', async () => {
    const folder = await recipeFolder({ 'recipe.yaml': `${HEAD}files: { /a: { from: link } }\n` });
    await mkdir(`${folder}-2`);
    await writeFile(`${folder}-2/x`, 'x');
    await symlink('../recipe-2/x', join(folder, 'link'));
    expect(await problemsOf(folder)).toEqual([
      '3:22 E_RECIPE_PATH `link` leaves the folder of the recipe through a symbolic link',
    ]);
  });

  it('follows links that stay in the folder', async () => {
    const folder = await recipeFolder({ 'recipe.yaml': `${HEAD}files: { /a: { from: link } }\n`, 'conf/b': 'b' });
    await symlink('conf/b', join(folder, 'link'));
    expect((await readRecipe(folder, VOCABULARY)).files).toEqual([
      { path: 'a', mode: 0o644, content: Buffer.from('b') },
    ]);
  });

  it('refuses FIFOs and devices without blocking', async () => {
    const folder = await recipeFolder({ 'recipe.yaml': `${HEAD}files: { /a: { from: fifo } }\n` });
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    expect(await problemsOf(folder)).toEqual(['3:22 E_RECIPE_VALUE `fifo` is not a regular file']);
    expect(await problemsOf(join(folder, 'fifo'))).toEqual(['1:1 E_RECIPE_SYNTAX the recipe is not a regular file']);
    expect(await problemsOf('/dev/zero')).toEqual(['1:1 E_RECIPE_SYNTAX the recipe is not a regular file']);
  });

  it('refuses files that are too large, by their size', async () => {
    const folder = await recipeFolder({
      'recipe.yaml': `${HEAD}files: { /a: { from: conf/b } }\n`,
      'conf/b': '',
      'big.yaml': '',
    });
    await truncate(join(folder, 'conf/b'), 16 * 1024 ** 2 + 1);
    await truncate(join(folder, 'big.yaml'), 100 * 1024 ** 3);
    expect(await problemsOf(folder)).toEqual(['3:22 E_RECIPE_VALUE `conf/b` is larger than 16 MiB']);
    expect(await problemsOf(join(folder, 'big.yaml'))).toEqual(['1:1 E_RECIPE_SYNTAX the recipe is larger than 1 MiB']);
  });

  it('refuses files that are too large together', async () => {
    const names = ['b1', 'b2', 'b3', 'b4', 'b5'];
    const files = names.map((name) => `/${name}: { from: ${name} }`).join(', ');
    const folder = await recipeFolder({ 'recipe.yaml': `${HEAD}files: { ${files} }\n` });
    await Promise.all(
      names.map(async (name) => {
        await writeFile(join(folder, name), '');
        await truncate(join(folder, name), 15 * 1024 ** 2);
      }),
    );
    expect(await problemsOf(folder)).toEqual([
      '3:99 E_RECIPE_VALUE the files of the recipe hold more than 64 MiB together',
    ]);
  });

  it('names the place of what is no UTF-8', async () => {
    const folder = await recipeFolder({
      'recipe.yaml': Buffer.from(`${HEAD}# \xff`, 'latin1'),
      'second.yaml': `${HEAD}python: { requirements: r.txt }\n`,
      'r.txt': Buffer.from('numpy\nab\xff\n', 'latin1'),
    });
    expect(await problemsOf(folder)).toEqual(['3:3 E_RECIPE_SYNTAX the recipe is not UTF-8']);
    expect(await problemsOf(join(folder, 'second.yaml'))).toEqual([
      '2:3 E_REQUIREMENT_SYNTAX the requirements are not UTF-8',
    ]);
  });

  it('reports the problems of the requirements with their own file and line', async () => {
    const folder = await recipeFolder({
      'recipe.yaml': `${HEAD}python: { requirements: r.txt }\n`,
      'r.txt': 'numpy\n-e .\n',
    });
    const error: unknown = await readRecipe(folder, VOCABULARY).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'E_REQUIREMENT_SYNTAX',
      place: { file: join(folder, 'r.txt'), line: 2, column: 1 },
    });
  });
});
