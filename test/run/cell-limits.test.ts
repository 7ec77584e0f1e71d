import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/recipe/recipe.ts';
import { cellLimits, resourceLimits } from '../../src/run/cell-limits.ts';

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

function cpu(cpuMs: number): number | undefined {
  return resourceLimits({ ...DEFAULT_LIMITS, cpuMs }).find(({ resource }) => resource === 'cpu')?.hard;
}

describe('resourceLimits()', () => {
  it('rounds CPU time up and adds a second', () => {
    expect([cpu(1), cpu(1000), cpu(1001)]).toEqual([2, 2, 3]);
  });

  it('never lets a core handler start, and no memory be locked', () => {
    expect(resourceLimits(DEFAULT_LIMITS)).toEqual(
      expect.arrayContaining([
        { resource: 'core', soft: 1, hard: 1 },
        { resource: 'lockedMemory', soft: 0, hard: 0 },
        { resource: 'processes', soft: 40, hard: 40 },
      ]),
    );
  });
});
