import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import type { PythonRequirements } from '../../src/recipe/recipe.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';
import { rawTar } from '../assemble/raw-archives.ts';
import { pythonTools, type PythonTools, type Question, type Tool } from '../support/python-tools.ts';
import { startToyIndex, type ToyIndex } from '../support/toy-index.ts';

const DAY = 86_400;
const NOW = Date.parse('2026-06-01T00:00:00Z') / 1000;
const VOCABULARY = { profiles: ['python'], groups: [], syscalls: [] };

let folder = '';
let python: PythonTools;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'requirements-'));
  python = await pythonTools(folder);
  if (python.tools.length < 2) console.warn(`NOT TESTED with every tool: only ${python.tools.join()} could be had`);
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What all tools say, which must be the same. */
async function both(question: Question): Promise<readonly string[]> {
  const answers: (readonly string[])[] = [];
  for (const tool of python.tools) answers.push(await shown(tool, question));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  expect(answers.length).toBeGreaterThan(0);
  return answers[0] ?? [];
}

/** What one tool says, where the words of the tool play no part. */
async function one(question: Question): Promise<readonly string[]> {
  const [tool] = python.tools;
  if (tool === undefined) throw new Error('neither uv nor pip could be had');
  return await shown(tool, question);
}

async function shown(tool: Tool, question: Question): Promise<readonly string[]> {
  try {
    const wheels = await python.resolve(tool, question);
    expect(JSON.stringify(wheels)).not.toMatch(/127\.0\.0\.1|localhost/);
    return wheels.map(
      ({ name, version, from }) => `${name} ${version}${from === undefined ? '' : ` ${Object.keys(from).join()}`}`,
    );
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ code, message, hint }) => {
      return `${code} ${message} (${hint ?? ''})`;
    });
  }
}

function digestOfWheel(index: ToyIndex, file: string): `sha256:${string}` {
  return `sha256:${createHash('sha256')
    .update(index.wheels.get(file) ?? '')
    .digest('hex')}`;
}

/** The requirements of a file as a recipe has them. */
async function written(
  text: string,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<{ readonly python: PythonRequirements; readonly folder: string }> {
  const place = await mkdtemp(join(folder, 'recipe-'));
  const head = 'name: x\nbase: { debian: { suite: trixie, packages: [python3] } }\npython: { requirements: r.txt }\n';
  await mkdir(join(place, 'wheels'));
  for (const [name, content] of Object.entries({ 'recipe.yaml': head, 'r.txt': text, ...files }))
    await writeFile(join(place, name), content);
  const { python: read } = await readRecipe(place, VOCABULARY);
  if (read === undefined) throw new Error('there must be requirements');
  return { python: read, folder: place };
}

describe('requirements, by uv and by pip', () => {
  it('have extras, markers, constraints and pre-releases', async () => {
    await using index = await startToyIndex({
      metadata: true,
      wheels: [
        { name: 'app', version: '1.0', extras: ['fast'], requires: ['lib>=1', 'speed; extra == "fast"'] },
        { name: 'lib', version: '1.0' },
        { name: 'lib', version: '2.0' },
        { name: 'lib', version: '3.0b1' },
        { name: 'speed', version: '1' },
      ],
    });
    const text = `-i ${index.url}\nApp[FAST]\nnope; sys_platform == "win32"\nspeed; python_version >= "3.13" and platform_machine == "x86_64"\n`;
    expect(await both(await written(text))).toEqual(['app 1.0', 'lib 2.0', 'speed 1']);
    expect(await both(await written(`${text}-c c.txt`, { 'c.txt': 'lib<2\nother==1' }))).toEqual([
      'app 1.0',
      'lib 1.0',
      'speed 1',
    ]);
    expect(await both(await written(`${text}--pre`))).toEqual(['app 1.0', 'lib 3.0b1', 'speed 1']);
  });

  it('stay at versions that are preferred, as far as those are there', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'a', version: '1' },
        { name: 'a', version: '2' },
        { name: 'b', version: '2' },
        { name: 'b', version: '3' },
      ],
    });
    const question = {
      python: { lines: ['a', 'b'], indexUrl: index.url },
      preferences: new Map([
        ['a', '1'],
        ['b', '1'],
      ]),
    };
    expect(await both(question)).toEqual(['a 1', 'b 3']);
  });

  it('come from the first index that knows the project, never from another with a higher version', async () => {
    await using own = await startToyIndex({
      wheels: [{ name: 'secret-lib', version: '1.0', requires: ['six'] }],
      credentials: 'me:pw',
    });
    await using open = await startToyIndex({
      wheels: [
        { name: 'secret-lib', version: '99.0' },
        { name: 'six', version: '1.17' },
      ],
    });
    const extraIndexUrls = [own.url.replace('//', '//me:pw@')];
    expect(await both({ python: { lines: ['secret-lib'], indexUrl: open.url, extraIndexUrls } })).toEqual([
      'secret-lib 1.0',
      'six 1.17',
    ]);
    expect(open.server.requests.filter((request) => request.includes('secret-lib'))).toEqual([]);
    const environment = { PIP_INDEX_URL: open.url, PIP_EXTRA_INDEX_URL: extraIndexUrls[0] ?? '' };
    expect(await both({ python: { lines: ['secret-lib'] }, environment })).toEqual(['secret-lib 1.0', 'six 1.17']);
    const hidden = { python: { lines: ['secret-lib>=2'], indexUrl: open.url, extraIndexUrls } };
    expect(await one(hidden)).toEqual([
      'E_REQUIREMENT_UNKNOWN python requirement `secret-lib>=2`: there is no such version; the newest is 1.0 (write for example `secret-lib<=1.0`)',
    ]);
  });

  it('leave out what was withdrawn, unless it is asked for exactly', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'a', version: '1' },
        { name: 'a', version: '2', yanked: true },
      ],
    });
    expect(await both({ python: { lines: ['a'], indexUrl: index.url } })).toEqual(['a 1']);
    expect(await both({ python: { lines: ['a==2'], indexUrl: index.url } })).toEqual(['a 2']);
    expect(python.warnings).toEqual([expect.stringContaining('`a`: version 2 was withdrawn from its index (yanked)')]);
    expect(await one({ python: { lines: ['a>1'], indexUrl: index.url } })).toEqual([
      'E_REQUIREMENT_REFUSED python requirement `a>1`: version 2 was withdrawn (yanked); the newest that may be taken is 1 (choose another version, or write `a==2` to take it all the same)',
    ]);
  });

  it('are files, addresses and folders, locked by digest and found again without a host', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'far', version: '1', requires: ['near', 'linked', 'paged>=2'] },
        { name: 'near', version: '7' },
        { name: 'linked', version: '9' },
        { name: 'near', version: '8' },
      ],
    });
    await using other = await startToyIndex({
      wheels: [
        { name: 'near', version: '2' },
        { name: 'linked', version: '1' },
        { name: 'linked', version: '3' },
        { name: 'paged', version: '2' },
      ],
    });
    const files = Object.fromEntries([...other.wheels].map(([name, content]) => [`wheels/${name}`, content]));
    other.server.files.set('/page.html', {
      content: Buffer.from('<a href="files/paged-2-py3-none-any.whl">x</a>'),
      type: 'text/html',
    });
    const far = 'far-1-py3-none-any.whl';
    const address = `${index.server.url}/files/${far}`;
    const lines = `far @ ${address}\n./wheels/near-2-py3-none-any.whl\n-f wheels\n--find-links ${other.server.url}/page.html\n--no-index\n`;
    const question = await written(lines, files);
    expect(await both(question)).toEqual(['far 1 url', 'linked 3 findLinks', 'near 2 path', 'paged 2 findLinks']);
    expect(index.server.requests.filter((request) => request.includes('/simple/'))).toEqual([]);
    const promised = `${address}#sha256=${digestOfWheel(index, far).slice(7)}`;
    expect(await one(await written(lines.replace(address, promised), files))).toHaveLength(4);
    const wrong = await written(lines.replace(address, `${address}#sha256=${'0'.repeat(64)}`), files);
    expect(await both(wrong)).toEqual([expect.stringMatching(/^E_/)]);
  });

  it('must have the listed hashes, and all of them', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'a', version: '1', requires: ['b'] },
        { name: 'a', version: '1', tag: 'cp313-cp313-manylinux_2_17_x86_64', requires: ['b'] },
        { name: 'b', version: '1' },
      ],
    });
    const generic = digestOfWheel(index, 'a-1-py3-none-any.whl');
    const b = digestOfWheel(index, 'b-1-py3-none-any.whl');
    const head = `-i ${index.url}\n`;
    const question = await written(`${head}a==1 --hash=${generic}\nb==1 --hash=${b}\n`);
    for (const tool of python.tools)
      expect((await python.resolve(tool, question)).map(({ digest }) => digest)).toEqual([generic, b]);
    expect(await both(await written(`${head}a==1 --hash=${generic}\n`))).toEqual([
      `E_REQUIREMENT_REFUSED python requirement \`b\`: it is needed, but has no hash, though others have one (add \`b==VERSION --hash=${b}\` if you trust it, or remove all hashes)`,
    ]);
    expect(await one(await written(`${head}b==1 --hash=sha256:${'0'.repeat(64)}\n`))).toEqual([
      'E_REQUIREMENT_REFUSED python requirement `b==1`: no file of version 1 has a listed hash (check where the hashes come from, then correct them)',
    ]);
  });

  it('are not younger than the cooldown, but for exceptions', async () => {
    const wheels = [
      { name: 'a', version: '1', uploaded: '2026-05-01T00:00:00Z' },
      { name: 'a', version: '2', uploaded: '2026-05-30T00:00:00.5Z', requires: ['b'] },
      { name: 'b', version: '1', uploaded: '2026-05-31T00:00:00Z' },
    ];
    await using index = await startToyIndex({ wheels });
    const cutOff = NOW - 7 * DAY;
    const cooldown = { ms: 7 * DAY * 1000, except: [] };
    expect(await both({ python: { lines: ['a'], indexUrl: index.url, cooldown }, cutOff })).toEqual(['a 1']);
    const except = { ms: 7 * DAY * 1000, except: ['a', 'b'] };
    expect(await both({ python: { lines: ['a'], indexUrl: index.url, cooldown: except }, cutOff })).toEqual([
      'a 2',
      'b 1',
    ]);
    expect(await one({ python: { lines: ['a>1'], indexUrl: index.url, cooldown }, cutOff })).toEqual([
      "E_REQUIREMENT_REFUSED python requirement `a>1`: version 2 is too young (of 2026-05-30T00:00:00Z, the cooldown's cut-off is 2026-05-25T00:00:00Z); the newest that may be taken is 1 (wait, or add `a` to `except` of `python.cooldown`)",
    ]);
    await using silent = await startToyIndex({ wheels: [{ name: 'a', version: '1' }] });
    expect(await one({ python: { lines: ['a'], indexUrl: silent.url, cooldown }, cutOff })).toEqual([
      'E_INDEX_NO_TIMES package index (`index_url`): it does not say how old the files of `a` are, which `cooldown` needs (add `a` to `except` of `python.cooldown`, or use an index with upload times (PEP 700))',
    ]);
  });

  it('say what is wrong with each that cannot be had', async () => {
    await using index = await startToyIndex({
      wheels: [
        { name: 'a', version: '1', requires: ['c<2'] },
        { name: 'b', version: '1', requires: ['c>=2'] },
        { name: 'c', version: '1' },
        { name: 'c', version: '2' },
        { name: 'arm', version: '1', tag: 'cp313-cp313-manylinux_2_17_aarch64' },
        { name: 'new', version: '1', requiresPython: '>=3.14' },
        { name: 'needs-x', version: '1', requires: ['missing-x'] },
      ],
      sdists: ['src-1.0.tar.gz'],
    });
    const ask = (...lines: readonly string[]): Promise<readonly string[]> =>
      both({ python: { lines, indexUrl: index.url } });
    expect(await ask('nope', 'nope-too', 'c')).toEqual([
      'E_REQUIREMENT_UNKNOWN python requirement `nope`: no package index has such a project (asked: `index_url`) (check its spelling, or name the index that has it in `python.extra_index_urls`)',
      'E_REQUIREMENT_UNKNOWN python requirement `nope-too`: no package index has such a project (asked: `index_url`) (check its spelling, or name the index that has it in `python.extra_index_urls`)',
    ]);
    expect(await ask('needs-x')).toEqual([
      'E_REQUIREMENT_UNKNOWN python requirement `missing-x`, which `needs-x` needs: no package index has such a project (asked: `index_url`) (name the index that has it in `python.extra_index_urls`)',
    ]);
    const askOne = (line: string): Promise<readonly string[]> =>
      one({ python: { lines: [line], indexUrl: index.url } });
    expect(await askOne('arm')).toEqual([
      'E_REQUIREMENT_NO_WHEEL python requirement `arm`: version 1 has no wheel for CPython 3.13 on amd64 with glibc 2.41 (there is cp313-cp313-manylinux_2_17_aarch64) (choose a version that has wheels for this interpreter, or another `base.debian.suite`)',
    ]);
    expect(await askOne('new>=1')).toEqual([
      'E_REQUIREMENT_NO_WHEEL python requirement `new>=1`: version 1 needs Python >=3.14, and this is 3.13.5 (choose a version that has wheels for this interpreter, or another `base.debian.suite`)',
    ]);
    expect(await askOne('src')).toEqual([
      'E_REQUIREMENT_NO_WHEEL python requirement `src`: version 1.0 is there as source only (choose a version that has wheels, or add `src` to `python.build_from_source`)',
    ]);
    const contrary = 'E_REQUIREMENT_CONFLICT python requirements contradict each other';
    expect(await ask('a', 'b')).toEqual([
      `${contrary}: \`a\` asks for \`c<2\`, but \`b\` asks for \`c>=2\` (loosen one of these requirements)`,
    ]);
    expect(await ask('a', 'c==2')).toEqual([
      `${contrary}: the requirements ask for \`c==2\`, but \`a\` asks for \`c<2\` (loosen one of these requirements)`,
    ]);
    expect(await ask('c<2', 'c>=2')).toEqual([
      `${contrary}: the requirements ask for \`c<2\`, but the requirements ask for \`c>=2\` (loosen one of these requirements)`,
    ]);
  });
});

describe('packages that want to be built', () => {
  it.each(['http', 'file'] as const)('are not, even when another one names them by a %s: address', async (scheme) => {
    const canary = join(folder, `canary-${scheme}`);
    const source = gzipSync(
      rawTar([
        {
          name: 'evil-1.0/pyproject.toml',
          content: '[build-system]\nrequires=[]\nbuild-backend="evil"\nbackend-path=["."]\n',
        },
        { name: 'evil-1.0/evil.py', content: `open(${JSON.stringify(canary)}, 'w')\n` },
      ]),
    );
    await writeFile(join(folder, 'evil-1.0.tar.gz'), source);
    await using index = await startToyIndex({ wheels: [{ name: 'innocent', version: '1' }] });
    index.server.files.set('/evil-1.0.tar.gz', { content: source });
    const origin = new URL(index.url).origin;
    const address = scheme === 'http' ? `${origin}/evil-1.0.tar.gz` : `file://${folder}/evil-1.0.tar.gz`;
    index.publish([{ name: 'top', version: '1', requires: [`evil @ ${address}`] }]);
    for (const tool of python.tools) {
      const [problem] = await shown(tool, { python: { lines: ['top'], indexUrl: index.url } });
      expect(problem).toMatch(
        tool === 'uv' ? /must be expressed as direct/ : /pip wants to build .*evil-1\.0\.tar\.gz/,
      );
      expect(existsSync(canary)).toBe(false);
    }
  });
});
