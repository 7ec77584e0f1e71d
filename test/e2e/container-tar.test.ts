import { appendFile, readFile, readdir } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { copyRecipe, rootcellar, workplace, type Workplace } from '../support/command.ts';

async function madeIn(work: Workplace, output: string, environment: Readonly<Record<string, string>>): Promise<Buffer> {
  const words = ['build', work.path('python'), '--container', output];
  const built = await rootcellar(words, { environment, through: ['sh', '-c', 'umask 077; exec "$@"', 'sh'] });
  expect(built.stderr).not.toContain('error[');
  expect(built.status).toBe(0);
  return readFile(output);
}

describe('build --container', () => {
  it('writes the same bytes in other surroundings: launcher, plans, and the root filesystem apart from them', async () => {
    await using work = await workplace();
    await copyRecipe('python', work.path('python'));
    const first = await madeIn(work, work.path('a.tar'), { TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8' });
    const second = await madeIn(work, work.path('b.tar'), { TZ: 'America/Lima', SOURCE_DATE_EPOCH: '1' });
    expect(digestOf(second)).toBe(digestOf(first));
    const { stdout } = await execa('tar', ['--list', '--verbose', '--numeric-owner', '--file', work.path('a.tar')]);
    const rows = stdout.split('\n').filter((row) => !/ rootfs\/0\/./.test(row));
    expect(rows.map((row) => row.replace(/ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d /, ' '))).toEqual([
      'drwxr-xr-x 0/0 .rootcellar/',
      '-r-xr-xr-x 0/0 .rootcellar/cell',
      'drwxr-xr-x 0/0 .rootcellar/plans/',
      '-r--r--r-- 0/0 .rootcellar/plans/A',
      '-r--r--r-- 0/0 .rootcellar/plans/B',
      '-r--r--r-- 0/0 .rootcellar/plans/C',
      'drwxr-xr-x 0/0 rootfs/',
      'drwxr-xr-x 0/0 rootfs/0/',
      'drwxr-xr-x 0/0 run/',
      'drwxrwxrwt 0/0 tmp/',
    ]);
  });

  it('refuses an image whose programs have a network, and leaves nothing', async () => {
    await using work = await workplace();
    await copyRecipe('python', work.path('python'));
    await appendFile(work.path('python', 'recipe.yaml'), '\nsandbox: { network: host }\n');
    const ended = await rootcellar(['build', work.path('python'), '--container', work.path('a.tar')]);
    expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining('error[E_POLICY] image `python`') });
    expect(await readdir(work.folder)).toEqual(['python']);
  });
});
