import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CommandContext } from '../../src/cli/command-context.ts';
import { importVerb } from '../../src/cli/import-verb.ts';

interface Desk {
  readonly folder: string;
  readonly importTo: (output: string, requirements?: string) => Promise<number>;
}

function desk(): Desk {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-import-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'config.yaml');
  writeFileSync(config, 'max_workers: 4\n');
  writeFileSync(join(folder, 'r.txt'), 'requests\n');
  const reporter = {
    progress: () => undefined,
    result: () => undefined,
    failure: () => undefined,
    close: () => Promise.resolve(),
  };
  const context: CommandContext = {
    reporter,
    environment: {},
    uid: 0,
    hostArchitecture: 'amd64',
    signal: new AbortController().signal,
  };
  const importTo: Desk['importTo'] = (output, requirements = join(folder, 'r.txt')) =>
    importVerb(context, { config, requirements, flags: { output: join(folder, output), base: 'debian' } });
  return { folder, importTo };
}

describe('importVerb()', () => {
  it('writes nothing when one of its files is there already', async () => {
    const { folder, importTo } = desk();
    writeFileSync(join(folder, 'python-requirements.txt'), 'own\n');
    await expect(importTo('.')).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(existsSync(join(folder, 'recipe.yaml'))).toBe(false);
  });

  it('leaves requirements where they are that lie beside the recipe', async () => {
    const { folder, importTo } = desk();
    writeFileSync(join(folder, 'python-requirements.txt'), 'own\n');
    expect(await importTo('.', join(folder, 'python-requirements.txt'))).toBe(0);
    expect(readFileSync(join(folder, 'recipe.yaml'), 'utf8')).toContain('requirements: python-requirements.txt');
  });

  it.each([
    ['config.yaml/x', 'is not below a folder'],
    ['config.yaml', 'is not below a folder'],
    ['loop/x', 'is below a link that leads in a circle'],
    ['x'.repeat(300), 'has too long a name'],
  ])('refuses the folder %s', async (output, fault) => {
    const { folder, importTo } = desk();
    symlinkSync('loop', join(folder, 'loop'));
    await expect(importTo(output)).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining(fault) });
  });
});
