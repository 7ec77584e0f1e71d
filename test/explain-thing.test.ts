import { describe, expect, it } from 'vitest';
import type { ElfFacts } from '../src/assemble/tree.ts';
import { explainThing, type Explanation } from '../src/explain-thing.ts';
import { DEFAULT_SANDBOX } from '../src/recipe/recipe.ts';
import { elfFacts, treeOf } from './assemble/elf-trees.ts';

const LIB = 'usr/lib/x86_64-linux-gnu';
const SITE = 'usr/local/lib/python3.13/dist-packages';

const FILES: Readonly<Record<string, ElfFacts | string>> = {
  [`${LIB}/libz.so.1.3`]: elfFacts({ soname: 'libz.so.1' }),
  [`${LIB}/libz.so.1`]: '-> libz.so.1.3',
  'usr/bin/tool': elfFacts({ needed: ['libz.so.1', 'libGL.so.1'], interpreter: '/usr/lib/ld.so' }),
  'usr/lib/ld.so': elfFacts(),
  [`${SITE}/yaml/__init__.py`]: 'import _yaml',
  [`${SITE}/_yaml.cpython-313-x86_64-linux-gnu.so`]: elfFacts({ needed: ['libz.so.1'] }),
  [`${SITE}/PyYAML-6.0.dist-info/METADATA`]:
    'Name: PyYAML\nVersion: 6.0\nRequires-Dist: Zed_Lib>=1; python_version > "3"\n\nText',
  [`${SITE}/zed_lib-1.0.dist-info/METADATA`]: 'Name: zed.lib\nVersion: 1.0\n\n',
  'var/lib/dpkg/status.d/tool': 'Package: tool\nVersion: 2\nDepends: zlib1g (>= 1:1) | other, gl\n',
  'var/lib/dpkg/status.d/zlib1g': 'Package: zlib1g\nVersion: 1:1.3\n',
};

const ORIGINS: readonly (readonly [RegExp, string])[] = [
  [/libz|zlib/, 'zlib1g 1:1.3'],
  [/tool/, 'tool 2'],
  [/yaml/i, 'pyyaml 6.0'],
];

function packagesOf(): Promise<ReadonlyMap<string, readonly string[]>> {
  return Promise.resolve(new Map([['libGL.so.1', ['libgl1']]]));
}

async function explain(thing: string): Promise<Explanation> {
  const filled = treeOf(FILES, (path) => ORIGINS.find(([pattern]) => pattern.test(path))?.[1] ?? path);
  const image = { name: 'toy', architecture: 'amd64', program: '/usr/bin/tool', sandbox: DEFAULT_SANDBOX } as const;
  return await explainThing({ ...image, ...filled, packagesOf }, thing);
}

async function linesOf(thing: string): Promise<readonly string[]> {
  return (await explain(thing)).stories.flatMap(({ lines }) => lines);
}

describe('explainThing()', () => {
  it('tells where a library is, what brought it, who needs it and how each finds it', async () => {
    expect(await linesOf('libz.so.1')).toEqual([
      `libz.so.1: at \`/${LIB}/libz.so.1.3\`, brought by zlib1g 1:1.3; \`/${LIB}/libz.so.1\` → libz.so.1.3`,
      '  needed by 2 files:',
      `    \`/usr/bin/tool\`: found by ld.so.cache, at \`/${LIB}/libz.so.1\``,
      `    \`/${SITE}/_yaml.cpython-313-x86_64-linux-gnu.so\`: found by ld.so.cache, at \`/${LIB}/libz.so.1\``,
    ]);
  });

  it('tells of a missing library who needs it, which package has it, and what to type', async () => {
    expect(await linesOf('libGL.so.1')).toEqual([
      'libGL.so.1: not in the image; Debian package libgl1 has it',
      '  needed by 1 file:',
      '    `/usr/bin/tool`: not found',
      '  looked for in ld.so.cache, /lib/x86_64-linux-gnu, /usr/lib/x86_64-linux-gnu, /lib, /usr/lib',
      '  hint: add libGL.so.1 to `shared_objects` of the recipe, or build it with --add-missing',
    ]);
    expect((await linesOf('libzz.so.1')).at(-1)).toBe('  hint: did you mean `libz.so.1`?');
  });

  it('tells what brings a module, with its native libraries, or what would', async () => {
    expect(await linesOf('yaml')).toEqual([
      expect.stringMatching(/^yaml: a module at `.*\/yaml\/__init__\.py`, brought by pyyaml 6\.0 \(3 files, \d+ B\)$/),
      '  native libraries of pyyaml 6.0:',
      `    \`/${SITE}/_yaml.cpython-313-x86_64-linux-gnu.so\``,
    ]);
    expect(await linesOf('cv2')).toEqual([
      'cv2: not in the image; opencv-python-headless brings this module',
      '  hint: add opencv-python-headless to the requirements',
    ]);
    expect((await linesOf('tkinter'))[1]).toBe('  hint: add python3-tk to `base.debian.packages`');
    expect((await linesOf('_yaml'))[0]).toContain('_yaml: a module at');
  });

  it('follows the links of a path, and names what was meant', async () => {
    expect(await linesOf(`/${LIB}/libz.so.1`)).toEqual(
      expect.arrayContaining([
        `/${LIB}/libz.so.1: a link to libz.so.1.3, brought by test`,
        expect.stringMatching(
          /libz\.so\.1\.3: a file of .*, mode 0644, brought by zlib1g 1:1\.3, a program or library$/,
        ),
      ]),
    );
    expect(await linesOf('/usr/bin/tol')).toContain('  did you mean `/usr/bin/tool`?');
  });

  it('tells of a package its version, who pulled it in, and what it depends on', async () => {
    expect(await linesOf('zlib1g')).toEqual([
      expect.stringMatching(/^zlib1g: a Debian package, version 1:1\.3, 2 files, /),
      '  pulled in by tool → zlib1g',
      '  needed by tool',
    ]);
    expect(await linesOf('PyYAML')).toEqual([
      expect.stringMatching(/^pyyaml: a Python package, version 6\.0/),
      '  no package depends on it: the recipe asks for it',
      '  depends on zed-lib',
    ]);
  });

  it('tells whether a system call is allowed, besides what else has the name', async () => {
    const { stories } = await explain('socket');
    expect(stories.map(({ kind }) => kind)).toEqual(['syscall']);
    expect(stories[0]?.facts).toMatchObject({ verdict: 'denied' });
    expect((await explain('read')).stories[0]?.facts).toMatchObject({ verdict: 'allowed' });
  });

  it('names the word that was meant where there is no story', async () => {
    expect(await explain('zlib1')).toEqual({ stories: [], near: 'zlib1g' });
  });
});
