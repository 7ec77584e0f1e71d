import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { rootcellar, workplace } from '../support/command.ts';
import { startToyMachine } from '../support/toy-machine.ts';

const CYCLES = Number(process.env['ROOTCELLAR_CYCLES'] ?? 1000);

interface Reading {
  readonly cycles: number;
  readonly rss: number;
  /** After a collection. */
  readonly heapUsed: number;
  readonly files: number;
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / 2 ** 20) * 10) / 10;
}

describe('a schedule', () => {
  it(`is as large after ${CYCLES} cycles that find nothing new as after the first of them`, async () => {
    await using machine = await startToyMachine({
      debs: [{ name: 'app', version: '1' }],
      wheels: [{ name: 'steady', version: '1.0' }],
    });
    await using work = await workplace();
    const recipe = await machine.recipe(work.path('r'), {
      name: 'toy',
      packages: ['app', 'toy-python'],
      requirements: ['steady'],
    });
    const environment = { ...machine.environment, ROOTCELLAR_HOME: work.path('store') };
    const built = await rootcellar(['build', recipe], { home: work.path('store'), environment });
    expect(built, built.stderr).toMatchObject({ status: 0 });
    const begun = performance.now();
    const program = join(import.meta.dirname, '../support/schedule-process.mjs');
    const { stdout } = await execa(process.execPath, [program, recipe, String(CYCLES)], {
      env: environment,
      stdout: ['pipe', 'inherit'],
    });
    const readings: readonly Reading[] = stdout.split('\n').map((line) => JSON.parse(line));
    const rows = readings.map(({ cycles, rss, heapUsed, files }) => ({
      cycles,
      'RSS MiB': mebibytes(rss),
      'heap in use MiB': mebibytes(heapUsed),
      files,
    }));
    console.table(rows);
    console.log(`${Math.round((performance.now() - begun) / CYCLES)} ms a cycle`);
  }, 3_600_000);
});
