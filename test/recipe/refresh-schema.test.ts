import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';
import { parseRecipe } from '../../src/recipe/recipe-reader.ts';

const BASE = 'name: x\nbase: { debian: { suite: trixie, packages: [python3] } }\n';
const VOCABULARY = { profiles: ['python'], groups: [], syscalls: [] };

function read(refresh: string): unknown {
  return parseRecipe(`${BASE}refresh: ${refresh}\n`, { file: 'recipe.yaml', vocabulary: VOCABULARY }).document.refresh;
}

function refusal(refresh: string): string {
  try {
    read(refresh);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(({ message, hint }) => `${message} (${hint})`).join('\n');
  }
}

function schedule(text: string): unknown {
  return Object(read(text)).schedule;
}

describe('refresh', () => {
  it('says when, how many generations stay, and what must work', () => {
    expect(read('{ every: 6h, keep: 3, smoke_test: tests/smoke.py }')).toEqual({
      schedule: { kind: 'every', everyMs: 21_600_000, jitterMs: 2_160_000 },
      keep: 3,
      smokeTest: 'tests/smoke.py',
    });
    expect(read('{}')).toEqual({ schedule: undefined, keep: 5, smokeTest: undefined });
    expect(read('off')).toEqual({ schedule: undefined, keep: 5, smokeTest: undefined });
  });

  it('takes the cron expressions that cron, systemd and Kubernetes take', () => {
    expect(schedule('{ cron: "17 4 * * *" }')).toEqual({ kind: 'cron', expression: '17 4 * * *', jitterMs: 0 });
    expect(schedule('{ cron: "*/5  1-3,7 1 jan-MAR mon", jitter: 90s }')).toEqual({
      kind: 'cron',
      expression: '*/5 1-3,7 1 jan-MAR mon',
      jitterMs: 90_000,
    });
    expect(schedule('{ cron: "@weekly" }')).toMatchObject({ expression: '0 0 * * 0' });
    expect(schedule('{ every: 1h, jitter: 0s }')).toMatchObject({ jitterMs: 0 });
  });

  it.each([
    ['{ every: 6h, cron: "0 0 * * *" }', 'cannot have both `every` and `cron` (keep one of the two)'],
    ['{ every: 6 }', '`refresh.every` must be a duration with a unit'],
    ['{ every: 10s }', '`refresh.every` must be a duration from 1 min 0 s to 366 d'],
    ['{ cron: "0 0 0 * * *" }', '`refresh.cron` must be five fields as in crontab(5)'],
    ['{ cron: "0 0 L * *" }', 'must be five fields as in crontab(5)'],
    ['{ cron: "0 0 * * 5#2" }', 'must be five fields as in crontab(5)'],
    ['{ cron: "61 * * * *" }', 'has a number or a range that cannot be'],
    ['{ cron: "5-1 * * * *" }', 'has a number or a range that cannot be'],
    ['{ cron: "0 0 31 2 *" }', 'names no day that there is'],
    ['{ cron: 5 }', '`refresh.cron` must be five fields'],
    ['{ keep: 0 }', '`refresh.keep` must be a whole number from 1 to 1000'],
    ['{ smoke_test: ../smoke.py }', '`refresh.smoke_test` leaves the folder of the recipe'],
    ['{ evry: 6h }', 'did you mean `every`?'],
    ['on', '`refresh` must be one of `off`'],
  ])('refuses %s', (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it('has the smoke test read, and named where it cannot be', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'recipe-'));
    try {
      await writeFile(join(folder, 'recipe.yaml'), `${BASE}refresh: { smoke_test: smoke.py }\n`);
      await expect(readRecipe(folder, VOCABULARY)).rejects.toThrow('`smoke.py` does not exist');
      await writeFile(join(folder, 'smoke.py'), 'print("ä")\n');
      const { refresh, sources } = await readRecipe(folder, VOCABULARY);
      expect(refresh).toEqual({ schedule: undefined, keep: 5, smokeTest: { path: 'smoke.py', code: 'print("ä")\n' } });
      expect(sources.map(({ path }) => path)).toEqual(['recipe.yaml', 'smoke.py']);
      await writeFile(join(folder, 'smoke.py'), Buffer.from([0xff]));
      await expect(readRecipe(folder, VOCABULARY)).rejects.toThrow('`smoke.py` is not UTF-8');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
