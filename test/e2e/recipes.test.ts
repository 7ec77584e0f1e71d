import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyRecipe, rootcellar, workplace } from '../support/command.ts';

/** The archive or index is not there, or has moved on since the lockfile was made: neither is a fault of ours. */
const OUT_OF_REACH = /error\[E_(?:DOWNLOAD|DOWNLOAD_GONE|INDEX_UNKNOWN)\]/;

describe.each(['python', 'python-data'])('recipes/%s', (name) => {
  it('gives the promised bytes for both architectures, and passes its smoke test under the default policy', async (context) => {
    await using work = await workplace();
    const recipe = await copyRecipe(name, work.path(name), { locked: true });
    const built = await rootcellar(['build', recipe, '--locked']);
    if (OUT_OF_REACH.test(built.stderr)) {
      console.warn(`NOT TESTED: what recipes/${name} has locked cannot be had here:\n${built.stderr}`);
      context.skip();
    }
    expect(built.stderr).not.toContain('error[');
    expect(built.status).toBe(0);
    expect(built.stdout).toMatch(new RegExp(`^${name} amd64 .*\n${name} arm64 .*\n$`));
    const ended = await rootcellar(['run', name, '--', join(recipe, 'smoke.py')]);
    expect(ended.stdout).toContain('"smoke": "ok"');
    expect(ended).toMatchObject({ status: 0, stderr: expect.not.stringContaining('rootcellar:') });
  });
});
