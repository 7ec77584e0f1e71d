import { formatDuration, formatSize } from '../base/units.ts';
import type { Limits } from '../recipe/recipe.ts';
import type { RunStatus } from './run-report.ts';

/** Why a run was ended, for people; undefined where it was not. */
export function limitText(status: RunStatus, limits: Limits): string | undefined {
  return TEXTS[status]?.(limits);
}

const TEXTS: Partial<Record<RunStatus, (limits: Limits) => string>> = {
  timeout: ({ wallMs }) => `time limit: ended after ${formatDuration(wallMs)} (\`wall\`)`,
  cpu_limit: ({ cpuMs }) => `time limit: ended after ${formatDuration(cpuMs)} of processor time (\`cpu\`)`,
  oom: ({ memoryBytes }) => `out of memory: it needed more than ${formatSize(memoryBytes)} (\`memory\`)`,
  disk_limit: ({ tmpBytes }) => `disk full: it wrote more than ${formatSize(tmpBytes)} to /tmp (\`tmp\`)`,
  output_limit: ({ outputBytes }) => `output limit: ended after ${formatSize(outputBytes)} (\`output\`)`,
  denied: () => 'ended because of a system call that its profile does not allow',
};
