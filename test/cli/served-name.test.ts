import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { servedMark, servedName } from '../../src/cli/served-name.ts';
import { workplace } from '../support/command.ts';

describe('servedName()', () => {
  it('is that of dify-sandbox, with the name of any other file', async () => {
    await using work = await workplace();
    expect(await servedName('conf/config.yaml', work.folder)).toBe('dify-sandbox');
    expect(await servedName('conf/My Team.yaml', work.folder)).toBe('dify-sandbox-my-team');
  });

  it('is another one for a second configuration, as long as the first is there', async () => {
    await using work = await workplace();
    const [first, second] = [work.path('a "b"/config.yaml'), work.path('c/config.yaml')];
    await work.write({ 'a "b"/config.yaml': '', 'served/dify-sandbox/recipe.yaml': `${servedMark(first)}name: x\n` });
    expect(await servedName(first, work.folder)).toBe('dify-sandbox');
    const other = await servedName(second, work.folder);
    expect(other).toMatch(/^dify-sandbox-[0-9a-f]{8}$/);
    expect(await servedName(second, work.folder)).toBe(other);
    await rm(first);
    expect(await servedName(second, work.folder)).toBe('dify-sandbox');
  });
});
