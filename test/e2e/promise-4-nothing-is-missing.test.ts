import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namesBelow, pythonImage, rootcellar, workplace, type Workplace } from '../support/command.ts';
import { startToyIndex, type ToyIndex } from '../support/toy-index.ts';

const TAG = 'cp313-cp313-manylinux_2_17_x86_64';

/** A shared object that needs another one, which is linked against but nowhere to be found afterwards. */
function objectThatNeeds(work: Workplace, soname: string): Uint8Array {
  execFileSync('gcc', ['-shared', '-x', 'c', '-o', work.path('other.so'), `-Wl,-soname,${soname}`, '-'], {
    input: 'int other(void) { return 1; }',
  });
  execFileSync(
    'gcc',
    ['-shared', '-x', 'c', '-o', work.path('needs.so'), '-', '-x', 'none', work.path('other.so'), '-nostdlib'],
    {
      input: 'int other(void); int here(void) { return other(); }',
    },
  );
  return readFileSync(work.path('needs.so'));
}

describe('promise 4: nothing is missing', () => {
  let index: ToyIndex;
  let work: Workplace;

  beforeAll(async () => {
    await pythonImage();
    work = await workplace();
    index = await startToyIndex({
      wheels: [
        {
          name: 'lonely',
          version: '1.0',
          tag: TAG,
          files: { 'lonely/core.so': objectThatNeeds(work, 'libnowhere.so.7') },
        },
        {
          name: 'plusplus',
          version: '1.0',
          tag: TAG,
          files: { 'plusplus/core.so': objectThatNeeds(work, 'libstdc++.so.6') },
        },
      ],
    });
  });

  afterAll(async () => {
    await index.close();
    await work[Symbol.asyncDispose]();
  });

  type Ended = Awaited<ReturnType<typeof rootcellar>>;

  async function write(requirement: string, packages: string, more = ''): Promise<string> {
    await work.write({
      'recipe/recipe.yaml': `name: toy\nbase: { debian: { suite: trixie, packages: [${packages}] } }\n${more}python: { requirements: r.txt, index_url: "${index.url}" } # ours\n`,
      'recipe/r.txt': `${requirement}\n`,
    });
    return work.path('recipe');
  }

  async function build(requirement: string, packages: string, more = ''): Promise<Ended> {
    const recipe = await write(requirement, packages, more);
    await rootcellar(['lock', recipe]);
    return rootcellar(['build', recipe, '-o', work.path('toy.tar')]);
  }

  it('fails the build by name: the library, who needs it, where it was looked for', async () => {
    const { status, stderr } = await build('lonely', 'python3');
    expect(status).toBe(1);
    expect(stderr).toContain('error[E_LIBRARY_MISSING]');
    expect(stderr).toContain('`libnowhere.so.7`');
    expect(stderr).toContain('/usr/local/lib/python3.13/dist-packages/lonely/core.so');
    expect(stderr).toContain('/usr/lib/x86_64-linux-gnu');
    expect(await namesBelow(work.folder)).not.toContain('toy.tar');
  });

  it('names the Debian package that has it, and is content once that is there', async () => {
    const { status, stderr } = await build('plusplus', 'python3');
    expect(status).toBe(1);
    expect(stderr).toMatch(/`libstdc\+\+\.so\.6`[^]*hint: .*libstdc\+\+6/);
    expect((await build('plusplus', 'python3, libstdc++6')).status).toBe(0);
  });

  it('lets a library be missing when the recipe says so, and says so itself', async () => {
    const { status, stderr } = await build('lonely', 'python3', 'allow_missing: ["libnowhere.so.*", libother.so.1]\n');
    expect(status).toBe(0);
    expect(stderr).toContain('warning: `libnowhere.so.7`: allowed to be missing; needed by `/usr/local/lib/python3.13');
    expect(stderr).toContain('warning: allow_missing: `libother.so.1` lets nothing be missing');
    const told = await rootcellar(['explain', 'toy', 'libnowhere.so.7']);
    expect(told).toMatchObject({ status: 0, stdout: expect.stringMatching(/^libnowhere\.so\.7: not in the image/) });
    expect(told.stdout).toContain('lonely/core.so`: not found');
  });

  it('brings libraries by soname, with links and all they need', async () => {
    const { status } = await build('plusplus', 'python3', 'shared_objects: [libstdc++.so.6, libmagic.so.1]\n');
    expect(status).toBe(0);
    const told = await rootcellar(['explain', 'toy', 'libmagic.so.1', '--json']);
    expect(told.stdout).toMatch(/"origin":"libmagic1t64 /);
    const locked = await readFile(work.path('recipe/recipe.lock.json'), 'utf8');
    expect(locked).toContain('"from": "libmagic1t64", "path": "/usr/lib/x86_64-linux-gnu/libmagic.so.1"');
  });

  it('adds what is missing to the recipe when asked to, and nothing when that would not help', async () => {
    const recipe = await write('plusplus', 'python3');
    await rm(work.path('recipe/recipe.lock.json'), { force: true });
    const explained = await rootcellar(['explain', recipe, 'libstdc++.so.6']);
    expect(explained.stdout).toContain('libstdc++.so.6: not in the image; Debian package libstdc++6 has it');
    expect((await rootcellar(['build', recipe, '--add-missing', '--locked'])).status).toBe(2);
    expect((await rootcellar(['build', recipe, '--add-missing'])).status).toBe(0);
    const text = await readFile(work.path('recipe/recipe.yaml'), 'utf8');
    expect(text).toContain('packages: [python3] } }\nshared_objects: [libstdc++.so.6]\npython: {');
    expect(text).toContain('# ours');
    expect((await rootcellar(['build', recipe, '--locked'])).status).toBe(0);

    await write('lonely', 'python3');
    await rm(work.path('recipe/recipe.lock.json'));
    const refused = await rootcellar(['build', recipe, '--add-missing']);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('E_LIBRARY_MISSING') });
    expect(await readFile(work.path('recipe/recipe.yaml'), 'utf8')).not.toContain('shared_objects');
  });

  it('every library of a real image loads, by its own loader', async () => {
    const code = `
import os, subprocess, ctypes
failed = []
for folder, _, names in os.walk('/usr/lib'):
    for name in names:
        path = os.path.join(folder, name)
        if '.so' in name and not os.path.islink(path) and open(path, 'rb').read(4) == b'\\x7fELF':
            try: ctypes.CDLL(path, mode=os.RTLD_LAZY)
            except OSError as error:
                if 'cannot open shared object' in str(error): failed.append(str(error))
print(failed)`;
    const ended = await rootcellar(['run', 'python', '-c', code]);
    expect(ended).toMatchObject({ status: 0, stdout: '[]\n' });
  });
});
