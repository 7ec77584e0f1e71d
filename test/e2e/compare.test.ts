import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { copyRecipe, pythonImage, rootcellar, workplace } from '../support/command.ts';

/** A build in which the number of its process gets into a time, and so into the bill inside the image. */
const LEAK = `const real = Date.prototype.toISOString;
Date.prototype.toISOString = function () { return real.call(this).replace('.000Z', '.' + process.pid + 'Z'); };`;

describe('comparing images', () => {
  beforeAll(pythonImage);

  it('trims an image that still works, and diff says what went and why', async () => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('slim'), { locked: false });
    const more = 'tkinter, "/usr/lib/nothing/**", "/usr/share/zoneinfo/Antarctica/**"]';
    const text = readFileSync(`${recipe}/recipe.yaml`, 'utf8');
    writeFileSync(`${recipe}/recipe.yaml`, text.replace(/tkinter\]/, more));
    const built = await rootcellar(['build', recipe]);
    expect(built.stderr).toContain('warning: trim: `/usr/lib/nothing/**` meets nothing');
    const smoke = await rootcellar(['run', recipe, '--', `${recipe}/smoke.py`]);
    expect(smoke).toMatchObject({ status: 0, stdout: expect.stringContaining('"smoke": "ok"') });
    const generation = Number(/"generation":(\d+)/.exec((await rootcellar(['show', 'python', '--json'])).stdout)?.[1]);
    const told = await rootcellar(['diff', `python@${generation - 1}`, recipe, '--exit-code']);
    expect(told.status).toBe(1);
    expect(told.stdout).toContain('trim: + /usr/lib/nothing/**, + /usr/share/zoneinfo/Antarctica/**');
    expect(told.stdout).toMatch(
      /tzdata: \d+, because `trim: \/usr\/share\/zoneinfo\/Antarctica\/\*\*`\n {4}- \/usr\/share\/zoneinfo\/Antarctica\n/,
    );
    const json = JSON.parse((await rootcellar(['diff', 'python', 'python', '--json'])).stdout.trim());
    expect(json).toMatchObject({ event: 'result', same: true, files: [], packages: [] });
    const library = await rootcellar(['build', recipe]);
    expect(library.status).toBe(0);
  });

  it('verify --rebuild names the path and the byte of what does not come out again', async () => {
    await using work = await workplace();
    await work.write({ 'leak.mjs': LEAK });
    const recipe = await copyRecipe('python', work.path('python'));
    expect(await rootcellar(['lock', recipe])).toMatchObject({ status: 0 });
    const sound = await rootcellar(['verify', recipe, '--rebuild']);
    expect(sound.stdout).toContain('built twice from nothing, the same bytes');
    const environment = { NODE_OPTIONS: `--import ${work.path('leak.mjs')}` };
    const leaking = await rootcellar(['verify', recipe, '--rebuild'], { environment });
    expect(leaking.status).toBe(1);
    expect(leaking.stderr).toMatch(
      /`\/\.rootcellar\/sbom\.cdx\.json`: content differs, first at byte \d+: [0-9a-f]{2} and [0-9a-f]{2}/,
    );
    expect(await rootcellar(['verify', 'python', '--rebuild'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('E_USAGE'),
    });
  });
});
