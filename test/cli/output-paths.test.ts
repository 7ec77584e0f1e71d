import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { wantedArchitectures } from '../../src/cli/architectures.ts';
import { outputPaths } from '../../src/cli/output-paths.ts';

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
