import type { Limits } from '../recipe/recipe.ts';
import type { CellLimits, LaunchPlan, ResourceLimit } from './launch-plan.ts';

/** Enough for thousands of temporary files, too few to hold the kernel's memory. */
const BYTES_PER_INODE = 16_384;
const FEWEST_INODES = 1024;
const MOST_DENIALS = 1000;
const STACK_BYTES = 8 * 1024 ** 2;

type LimitedGround = Pick<LaunchPlan, 'tier' | 'cgroups'>;

/** What the launcher itself enforces. */
export function cellLimits(limits: Limits): CellLimits {
  return {
    wallMs: limits.wallMs,
    cpuMs: limits.cpuMs,
    outputBytes: limits.outputBytes,
    tmpBytes: limits.tmpBytes,
    tmpInodes: Math.max(FEWEST_INODES, Math.ceil(limits.tmpBytes / BYTES_PER_INODE)),
    denials: MOST_DENIALS,
  };
}

/**
 * What the kernel enforces for each process, in addition to the control groups; and in their place where there are none. Then
 * the launcher looks at the memory every few milliseconds, and the limit on private writable memory stops what is quicker.
 */
export function resourceLimits(limits: Limits, { tier, cgroups }: LimitedGround): readonly ResourceLimit[] {
  const cpuSeconds = Math.ceil(limits.cpuMs / 1000) + 1;
  const isCounted = cgroups !== undefined;
  // In a user namespace the kernel counts its first process too.
  const processes = limits.processes + (isCounted ? 8 : tier === 'B' ? 1 : 0);
  return [
    // One byte and not none: 0 would still start a core handler that is a program; source: the kernel's fs/coredump.c.
    most('core', 1),
    // One second after the launcher should have ended the run.
    most('cpu', cpuSeconds),
    most('fileSize', limits.tmpBytes),
    most('stack', STACK_BYTES),
    // Above the control group's, which counts how often it was reached.
    most('processes', processes),
    ...(isCounted ? [] : [most('data', 2 * limits.memoryBytes + limits.processes * STACK_BYTES)]),
    most('openFiles', limits.openFiles),
    most('lockedMemory', 0),
    most('messageQueue', 0),
    most('nice', 0),
    most('realtimePriority', 0),
  ];
}

function most(resource: ResourceLimit['resource'], value: number): ResourceLimit {
  return { resource, soft: value, hard: value };
}
