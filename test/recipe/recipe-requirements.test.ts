import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';
import type { PythonRequirements } from '../../src/recipe/recipe.ts';

const VOCABULARY = { profiles: ['python'], groups: [], syscalls: [] };
const HEAD = 'name: x\nbase: { debian: { suite: trixie, packages: [python3] } }\n';
const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const WHEEL = 'one-1.0-py3-none-any.whl';
const made: string[] = [];

afterEach(async () => {
  await Promise.all(made.splice(0).map((folder) => rm(folder, { recursive: true })));
});

async function recipeFolder(files: Readonly<Record<string, string | Uint8Array>>, keys = ''): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'requirements-')));
  made.push(folder);
  const all = { 'recipe.yaml': `${HEAD}python: { requirements: r.txt${keys} }\n`, ...files };
  for (const [name, content] of Object.entries(all)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

async function read(files: Readonly<Record<string, string | Uint8Array>>, keys = ''): Promise<PythonRequirements> {
  const { python } = await readRecipe(await recipeFolder(files, keys), VOCABULARY);
  if (python === undefined) throw new Error('there must be requirements');
  return python;
}

async function problemsOf(files: Readonly<Record<string, string | Uint8Array>>, keys = ''): Promise<string[]> {
  return problemsIn(await recipeFolder(files, keys));
}

async function problemsIn(folder: string): Promise<string[]> {
  try {
    await readRecipe(folder, VOCABULARY);
    return [];
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ code, message, place }) => {
      return `${place?.file.slice(folder.length + 1)}:${place?.line}:${place?.column} ${code} ${message}`;
    });
  }
}

describe('requirements of a recipe', () => {
  it('come from all files that are included, each once, relative to the file that includes', async () => {
    const files = {
      'r.txt': '-r reqs/base.txt\n-r reqs/base.txt\nlast\n-c limits.txt\n',
      'reqs/base.txt': 'first\n-r more/deep.txt\n',
      'reqs/more/deep.txt': 'second\n-r ../../other.txt\n',
      'other.txt': 'third\n',
      'limits.txt': 'numpy<2; python_version < "4"\n-c sub/limits.txt',
      'sub/limits.txt': 'six==1.16.0',
      'key.txt': 'pandas<3',
    };
    const python = await read(files, ', constraints: key.txt');
    expect(python.lines).toEqual(['first', 'second', 'third', 'last']);
    expect(python.constraints).toEqual(['numpy<2; python_version < "4"', 'six==1.16.0', 'pandas<3']);
    expect(python.places?.get('third')).toMatchObject({ line: 1, column: 1 });
    const { sources } = await readRecipe(await recipeFolder(files, ', constraints: key.txt'), VOCABULARY);
    expect(sources.map(({ path }) => path)).toEqual([
      'key.txt',
      'limits.txt',
      'other.txt',
      'r.txt',
      'recipe.yaml',
      'reqs/base.txt',
      'reqs/more/deep.txt',
      'sub/limits.txt',
    ]);
  });

  it('refuse files that include themselves, leave the folder, are addresses or are not there', async () => {
    const found = await problemsOf({
      'r.txt': '-r b.txt\n-r ../secret\n-r /etc/passwd\n-r https://me:pw@host/x.txt\n-c none.txt\n-r link.txt\n',
      'b.txt': 'ok\n\n-r r.txt\n',
    });
    expect(found).toEqual(
      [
        'b.txt:3:1 E_REQUIREMENT_SYNTAX the file includes itself: `r.txt` includes `b.txt` includes `r.txt`',
        'r.txt:2:1 E_RECIPE_PATH `../secret` leaves the folder of the recipe',
        'r.txt:3:1 E_RECIPE_PATH `/etc/passwd` leaves the folder of the recipe',
        'r.txt:4:1 E_REQUIREMENT_SYNTAX `https://host/x.txt` is an address, not a file',
      ].flatMap((line, index) =>
        index === 0
          ? [
              'r.txt:5:1 E_RECIPE_NOT_FOUND `none.txt` does not exist',
              'r.txt:6:1 E_RECIPE_NOT_FOUND `link.txt` does not exist',
              line,
            ]
          : [line],
      ),
    );
  });

  it('refuse a file that a symbolic link gets from outside', async () => {
    const folder = await recipeFolder({ 'r.txt': '-r in.txt\n' });
    await symlink('/etc/passwd', join(folder, 'in.txt'));
    expect(await problemsIn(folder)).toEqual([
      'r.txt:1:1 E_RECIPE_PATH `in.txt` leaves the folder of the recipe through a symbolic link',
    ]);
  });

  it('are read in UTF-16 with a mark, with CRLF, tabs, form feeds and page breaks', async () => {
    const text = '# größe\r\n\f\r\n\tnumpy\t>=2\t# x\r\n\fpandas\\\r\n  <3\f\r\n';
    const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le');
    const swapped = Buffer.from(utf16).swap16();
    for (const content of [text, `\ufeff${text}`, utf16, swapped]) {
      expect((await read({ 'r.txt': content })).lines).toEqual(['numpy>=2', 'pandas<3']);
    }
    expect(await problemsOf({ 'r.txt': Buffer.from([0xff, 0xfe, 0x61, 0, 0x0a, 0, 0, 0xdc, 0x61, 0]) })).toEqual([
      'r.txt:2:1 E_REQUIREMENT_SYNTAX the requirements are not UTF-8',
    ]);
  });

  it('take options and keys of the recipe as one', async () => {
    const python = await read(
      {
        'r.txt':
          '-i https://u:${TOKEN}@main.example/simple\n--extra-index-url=https://b.example/s --find-links wheels\n-f https://links.example/x.html\n--trusted-host b.example:8443\n--pre\n--prefer-binary\n--only-binary :all:\n--no-binary=:none:\nsix\n',
      },
      ', index_url: "https://main.example/simple", extra_index_urls: ["https://a.example/s"], find_links: [/srv/w], cooldown: 36h',
    );
    expect(python).toMatchObject({
      indexUrl: 'https://main.example/simple',
      extraIndexUrls: ['https://a.example/s', 'https://b.example/s'],
      findLinks: ['file:///srv/w', 'wheels', 'https://links.example/x.html'],
      trustedHosts: ['b.example:8443'],
      preReleases: true,
      cooldown: { ms: 129_600_000, except: [] },
    });
  });

  it('refuse options that contradict each other, all at once', async () => {
    const text = '--index-url https://a.example/s\n-i https://b.example/s\n--no-index\n-f ../w\n--trusted-host a/b\n';
    expect(await problemsOf({ 'r.txt': text }, ', index_url: "https://a.example/s"')).toEqual([
      'r.txt:2:1 E_REQUIREMENT_SYNTAX `--index-url` is another index than `python.index_url` of the recipe',
      'r.txt:3:1 E_REQUIREMENT_SYNTAX `--no-index` contradicts an index that is named',
      'r.txt:4:1 E_REQUIREMENT_SYNTAX `--find-links` names no folder below the recipe and no address',
      'r.txt:5:1 E_REQUIREMENT_SYNTAX `--trusted-host` names no host',
    ]);
  });

  it('have hashes by project, over many lines', async () => {
    const text = `One==1.0 \\\n    --hash=${A} \\\n    --hash ${B}\ntwo @ https://h/two-1-py3-none-any.whl#${A.replace(':', '=')}\n`;
    const python = await read({ 'r.txt': text });
    expect([...(python.hashes ?? [])]).toEqual([['one', [A, B]]]);
    expect(python.requireHashes).toBe(true);
    const limited = await read({ 'r.txt': `one==1.0 --hash=${A} --hash=${B}\n-c c.txt`, 'c.txt': `one --hash=${B}\n` });
    expect(limited.hashes?.get('one')).toEqual([B]);
  });

  it('must all have a hash and an exact version where one has a hash', async () => {
    const text = `one==1.0 --hash=${A}\ntwo==2\nthree>=1 --hash=${A}\nfour==1.* --hash=${A}\nfive @ https://h/five-1-py3-none-any.whl\n`;
    expect(await problemsOf({ 'r.txt': text })).toEqual([
      'r.txt:2:1 E_REQUIREMENT_SYNTAX `two` has no hash, though others have one',
      'r.txt:3:1 E_REQUIREMENT_SYNTAX `three` has a hash but no exact version',
      'r.txt:4:1 E_REQUIREMENT_SYNTAX `four` has a hash but no exact version',
      'r.txt:5:1 E_REQUIREMENT_SYNTAX `five @ five-1-py3-none-any.whl` has no hash, though others have one',
    ]);
  });

  it('name wheels below the recipe, by a path or a file address, and know their digests', async () => {
    const folder = await recipeFolder({ 'r.txt': `./wheels/${WHEEL}\n`, [`wheels/${WHEEL}`]: 'bytes' });
    const expected = [
      { kind: 'path', path: `wheels/${WHEEL}`, digest: digestOf('bytes'), name: 'one', version: '1.0' },
    ];
    expect((await readRecipe(folder, VOCABULARY)).python?.direct).toMatchObject(expected);
    for (const line of [`one @ file://${folder}/wheels/${WHEEL}`, `file:wheels/${WHEEL}`, `wheels//./${WHEEL}`]) {
      await writeFile(join(folder, 'r.txt'), line);
      expect((await readRecipe(folder, VOCABULARY)).python?.direct).toMatchObject(expected);
    }
  });

  it('refuse wheels that are outside, missing or not what they promise', async () => {
    const text = `/srv/${WHEEL}\n./a/../../${WHEEL}\n./none/${WHEEL}\n./${WHEEL}#${A.replace(':', '=')}\n`;
    expect(await problemsOf({ 'r.txt': text, [WHEEL]: 'bytes' })).toEqual([
      `r.txt:1:1 E_RECIPE_PATH \`/srv/${WHEEL}\` leaves the folder of the recipe`,
      `r.txt:2:1 E_RECIPE_PATH \`./a/../../${WHEEL}\` leaves the folder of the recipe`,
      `r.txt:3:1 E_RECIPE_NOT_FOUND \`./none/${WHEEL}\` does not exist`,
      `r.txt:4:1 E_DIGEST_MISMATCH \`./${WHEEL}\` is not the file that its sha256 promises`,
    ]);
  });

  it('refuse editable projects, sources, and constraints that are more than limits', async () => {
    const text = '-e .\n-e git+https://h/x.git#egg=x\nx @ https://h/x-1.tar.gz\n-c c.txt\n';
    expect(await problemsOf({ 'r.txt': text, 'c.txt': 'a[b]<2\nc @ https://h/c-1-py3-none-any.whl\n-e .\n' })).toEqual([
      'r.txt:1:1 E_REQUIREMENT_SYNTAX the option `-e` is not supported: an image has no sources that can be edited',
      'r.txt:2:1 E_REQUIREMENT_SYNTAX the option `-e` is not supported: an image has no sources that can be edited',
      'r.txt:3:1 E_REQUIREMENT_SYNTAX `x @ x-1.tar.gz` is not a wheel, and only wheels are taken',
      'c.txt:1:1 E_REQUIREMENT_SYNTAX a constraint cannot have extras',
      'c.txt:2:1 E_REQUIREMENT_SYNTAX a constraint cannot be an address or a path',
      'c.txt:3:1 E_REQUIREMENT_SYNTAX a constraint cannot be editable',
    ]);
  });

  it('report bad lines of all files together', async () => {
    expect(await problemsOf({ 'r.txt': 'a=1\n-r b.txt\n', 'b.txt': '\n  b b\n' })).toEqual([
      'r.txt:1:2 E_REQUIREMENT_SYNTAX `=1` is not a version limit',
      'b.txt:2:5 E_REQUIREMENT_SYNTAX `b` is not a version limit',
    ]);
  });
});
