import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { wantedArchitectures } from '../../src/cli/architectures.ts';
import { outputPaths, refuseSameFile, type OutputPaths } from '../../src/cli/output-paths.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'output-paths-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));

async function pathsOf(output: string | undefined, ...architectures: Architecture[]): Promise<readonly string[]> {
  const paths = await outputPaths({ output, name: 'toy', architectures });
  expect([...paths.keys()]).toEqual(output === undefined ? [] : architectures);
  return [...paths.values()].map((path) => path.slice(FOLDER.length));
}

describe('outputPaths()', () => {
  it('is a file for one architecture', async () => {
    expect(await pathsOf(undefined, 'amd64', 'arm64')).toEqual([]);
    expect(await pathsOf(`${FOLDER}/x.tar`, 'arm64')).toEqual(['/x.tar']);
  });

  it('is a file each in a folder that exists, and in one that it makes for a slash at the end', async () => {
    expect(await pathsOf(FOLDER, 'amd64', 'arm64')).toEqual(['/toy-amd64.tar', '/toy-arm64.tar']);
    expect(await pathsOf(FOLDER, 'arm64')).toEqual(['/toy-arm64.tar']);
    expect(await pathsOf(`${FOLDER}/new/deep/`, 'amd64')).toEqual(['/new/deep/toy-amd64.tar']);
    expect(statSync(join(FOLDER, 'new/deep')).isDirectory()).toBe(true);
  });

  it('has the architecture in the place of {arch}', async () => {
    expect(await pathsOf(`${FOLDER}/{arch}-x.tar`, 'amd64', 'arm64')).toEqual(['/amd64-x.tar', '/arm64-x.tar']);
    expect(await pathsOf(`${FOLDER}/{arch}/`, 'arm64')).toEqual(['/arm64/toy-arm64.tar']);
  });

  it('refuses one file for several, and names what to write instead', async () => {
    const failure = pathsOf(`${FOLDER}/x.tar`, 'amd64', 'arm64');
    await expect(failure).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('the tars of amd64 and arm64'),
      hint: expect.stringContaining(`-o '${FOLDER}/x-{arch}.tar'`),
    });
  });

  it('refuses a folder that cannot be made', async () => {
    writeFileSync(join(FOLDER, 'file'), '');
    await expect(pathsOf(`${FOLDER}/file/x/`, 'amd64', 'arm64')).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it.each([
    ['file/x.tar', 'its folder is a file'],
    ['file/', 'its folder is a file'],
    ['none/x.tar', 'its folder does not exist'],
    ['n'.repeat(300), 'is too long a name'],
    [`${'n'.repeat(300)}/`, 'cannot be made'],
    ['circle/x.tar', 'lies behind links that lead in a circle'],
  ])('refuses %s at once', async (output, fault) => {
    writeFileSync(join(FOLDER, 'file'), '');
    rmSync(join(FOLDER, 'circle'), { force: true });
    symlinkSync('circle', join(FOLDER, 'circle'));
    await expect(pathsOf(`${FOLDER}/${output}`, 'amd64')).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(fault),
      hint: expect.stringMatching(/./),
    });
  });
});

describe('refuseSameFile()', () => {
  it('finds one file under two names', async () => {
    mkdirSync(join(FOLDER, 'real'));
    symlinkSync('real', join(FOLDER, 'link'));
    const at = (name: string): OutputPaths => new Map([['amd64', join(FOLDER, name)]]);
    await refuseSameFile(at('real/x.tar'), at('real/y.tar'));
    await refuseSameFile(new Map(), at('real/y.tar'));
    for (const name of ['real/x.tar', 'link/x.tar']) {
      await expect(refuseSameFile(at('real/x.tar'), at(name))).rejects.toMatchObject({ code: 'E_USAGE' });
    }
  });
});

describe('wantedArchitectures()', () => {
  const recipe = { architectures: ['amd64', 'arm64'] } as const;

  it('is all of the recipe, or those that are named, once, in any spelling', () => {
    expect(wantedArchitectures(recipe, undefined)).toEqual(['amd64', 'arm64']);
    expect(wantedArchitectures(recipe, ['aarch64'])).toEqual(['arm64']);
    expect(wantedArchitectures(recipe, ['linux/arm64', 'x86_64', 'arm64'])).toEqual(['amd64', 'arm64']);
  });

  it.each([
    ['arm64', ['amd64'], 'use amd64, or add arm64 to `architectures` in recipe.yaml'],
    ['riscv64', ['amd64', 'arm64'], 'use amd64 or arm64'],
  ] as const)('refuses %s for a recipe for %s', (name, architectures, hint) => {
    expect(() => wantedArchitectures({ architectures }, [name])).toThrow(
      expect.objectContaining({ code: 'E_USAGE', hint }),
    );
  });
});
