import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  createReadStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CommandOptions,
  copyRecipe,
  pythonImage,
  rootcellar,
  sharedHome,
  workplace,
  type Workplace,
} from '../support/command.ts';

const NOBODY = 65_534;

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** A store with nothing but downloads, so that everything is unpacked, compiled and assembled again. */
function storeOfDownloads(work: Workplace, name: string): string {
  const home = work.path(name);
  mkdirSync(join(home, 'artifacts'), { recursive: true });
  const artifacts = join(sharedHome(), 'artifacts');
  // Copied in reverse and through other names, so that folders list the files in another order.
  for (const [index, file] of readdirSync(artifacts).toReversed().entries()) {
    cpSync(join(artifacts, file), join(home, 'artifacts', `${index}`));
    renameSync(join(home, 'artifacts', `${index}`), join(home, 'artifacts', file));
  }
  return home;
}

describe('promise 1: the same lockfile gives the same bytes', () => {
  beforeAll(pythonImage);

  it.each<{ name: string; umask: string; options: CommandOptions; isNobody?: boolean }>([
    {
      name: 'umask 077, another time zone and language',
      umask: '077',
      options: { environment: { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'C' } },
    },
    {
      name: 'umask 000, another folder, TMPDIR and SOURCE_DATE_EPOCH',
      umask: '000',
      options: { cwd: '/', environment: { SOURCE_DATE_EPOCH: '1', PYTHONHASHSEED: '7', TMPDIR: '/var/tmp' } },
    },
    {
      name: 'another user, without root',
      umask: '022',
      options: { environment: { HOME: '/nonexistent' } },
      isNobody: true,
    },
  ])('with $name', async ({ umask, options, isNobody }) => {
    await using work = await workplace();
    const recipe = await copyRecipe('python', work.path('recipe'));
    cpSync(join(sharedHome(), '../python/recipe.lock.json'), work.path('recipe/recipe.lock.json'));
    const home = storeOfDownloads(work, 'store');
    const tar = work.path('out/python.tar');
    mkdirSync(work.path('out'));
    if (isNobody === true) {
      chmodSync(work.folder, 0o755);
      execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, work.path('store'), work.path('recipe'), work.path('out')]);
      chownSync(work.folder, NOBODY, NOBODY);
    }
    const through = ['sh', '-c', `umask ${umask}; exec "$@"`, 'sh'];
    const own = isNobody === true ? { ...options, uid: NOBODY } : options;
    const built = await rootcellar(['build', recipe, '--locked', '-o', tar], { ...own, home, through });
    expect(built).toMatchObject({ status: 0 });
    const [, , diffId] = built.stdout.split(' ');
    expect(`sha256:${await digestOfFile(tar)}`).toBe(diffId);
    // What the first build of all found out; it is the one that all others must give again.
    const lockfile = JSON.parse(readFileSync(join(sharedHome(), '../python/recipe.lock.json'), 'utf8'));
    expect(Object.values(lockfile.targets)).toMatchObject([{ diff_id: diffId }]);
  });
});
