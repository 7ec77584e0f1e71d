import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type Tier } from '../../src/recipe/recipe.ts';
import { cellLimits, resourceLimits } from '../../src/run/cell-limits.ts';
import { SMALL_PLAN } from './launch-plans.ts';

describe('cellLimits()', () => {
  it('gives /tmp inodes in proportion to its size, and a few in any case', () => {
    expect(cellLimits(DEFAULT_LIMITS)).toEqual({
      wallMs: 10_000,
      cpuMs: 5000,
      outputBytes: 1_048_576,
      tmpBytes: 67_108_864,
      tmpInodes: 4096,
      denials: 1000,
    });
    expect(cellLimits({ ...DEFAULT_LIMITS, tmpBytes: 4096 }).tmpInodes).toBe(1024);
  });
});

const { cgroups } = SMALL_PLAN;
const COUNTED = { tier: 'A', cgroups } as const;

function cpu(cpuMs: number): number | undefined {
  return resourceLimits({ ...DEFAULT_LIMITS, cpuMs }, COUNTED).find(({ resource }) => resource === 'cpu')?.hard;
}

function uncounted(tier: Tier): readonly (number | undefined)[] {
  const rows = resourceLimits(DEFAULT_LIMITS, { tier, cgroups: undefined });
  return (['processes', 'data'] as const).map((name) => rows.find(({ resource }) => resource === name)?.hard);
}

describe('resourceLimits()', () => {
  it('rounds CPU time up and adds a second', () => {
    expect([cpu(1), cpu(1000), cpu(1001)]).toEqual([2, 2, 3]);
  });

  it('never lets a core handler start, and no memory be locked', () => {
    expect(resourceLimits(DEFAULT_LIMITS, COUNTED)).toEqual(
      expect.arrayContaining([
        { resource: 'core', soft: 1, hard: 1 },
        { resource: 'lockedMemory', soft: 0, hard: 0 },
        { resource: 'processes', soft: 40, hard: 40 },
      ]),
    );
  });

  it('limits exactly what no control group counts, with room for stacks', () => {
    expect(uncounted('B')).toEqual([33, 805_306_368]);
    expect(uncounted('C')).toEqual([32, 805_306_368]);
  });
});
