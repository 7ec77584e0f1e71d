import type { Limits, Tier } from '../recipe/recipe.ts';
import { errorName, signalName } from './kernel-names.ts';
import type { DeniedCall, RunEvent, RunReport, RunStatus, StartKind } from './run-report.ts';
import type { CellFacts } from './status-reader.ts';
import type { SyscallAbi } from './syscall-tables.ts';

export interface VerdictRequest {
  readonly facts: CellFacts;
  /** What the launcher was to make. */
  readonly tier: Tier;
  readonly limits: Limits;
  /** `cold` when undefined. */
  readonly start?: StartKind | undefined;
  /** The name of a system call of an architecture; undefined for a number that means nothing there. */
  readonly syscallName: (architecture: SyscallAbi, nr: number) => string | undefined;
}

/** The part of a report that follows from what the launcher observed. */
export type Verdict = Omit<RunReport, 'image' | 'files' | 'stdout' | 'stderr' | 'encoding'>;

/**
 * Derives the status. What the launcher did comes before what the kernel did, and that before how the program ended;
 * SIGKILL alone is never taken for a lack of memory.
 */
export function judgeRun(request: VerdictRequest): Verdict {
  const { facts, limits } = request;
  const denied = deniedCalls(request);
  const error = errorOf(facts, limits);
  const [status, exit, signal] = outcomeOf(facts, limits);
  return {
    status,
    exit_code: exit,
    signal,
    events: eventsOf(facts, denied),
    truncated: facts.truncated,
    time: {
      wall_ms: milliseconds(facts.wallMicros),
      cpu_ms: milliseconds(cpuMicros(facts)),
      setup_ms: milliseconds(facts.setupMicros),
      start: request.start ?? 'cold',
    },
    memory: memoryOf(facts),
    processes_peak: processesPeak(facts),
    denied,
    isolation: { tier: request.tier, layers: facts.layers, missing: facts.missing },
    limits,
    ...(error === undefined ? {} : { error }),
  };
}

type Outcome = readonly [status: RunStatus, exitCode: number | null, signal: string | null];

function outcomeOf(facts: CellFacts, limits: Limits): Outcome {
  const exit = facts.end?.kind === 'exited' ? facts.end.status : null;
  const signal = facts.end?.kind === 'signalled' ? signalName(facts.end.signal) : null;
  if (facts.cause !== undefined) return [STATUS_OF_CAUSE[facts.cause], exit, signal];
  if (isOutOfMemory(facts)) return ['oom', exit, signal];
  if (facts.failure !== undefined) return [isRejection(facts.failure.step) ? 'rejected' : 'internal', null, null];
  if (!facts.isComplete || facts.end === undefined) return ['internal', null, null];
  // Where there is a listener, no filter kills: then it is a signal like any other, which a program can send itself.
  if (signal === 'SIGSYS' && !facts.layers.includes('seccomp-notify')) return ['denied', exit, signal];
  // The program can send itself this signal; only the meter tells whether the kernel had a reason to.
  if (signal === 'SIGXCPU' && cpuMicros(facts) >= limits.cpuMs * 1000) return ['cpu_limit', exit, signal];
  if (facts.isTmpFull && endsLikeFullDisk(exit, signal)) return ['disk_limit', exit, signal];
  if (signal !== null) return ['signal', exit, signal];
  return [exit === 0 ? 'ok' : 'error', exit, signal];
}

/** A program that met a full disk and ended well has coped with it. SIGBUS: a mapped file had no room, mmap(2). */
function endsLikeFullDisk(exit: number | null, signal: string | null): boolean {
  return signal === null ? exit !== 0 : ['SIGBUS', 'SIGXFSZ'].includes(signal);
}

const STATUS_OF_CAUSE = {
  wall: 'timeout',
  cpu: 'cpu_limit',
  output: 'output_limit',
  denied: 'denied',
  cancelled: 'cancelled',
  memory: 'oom',
  disk: 'disk_limit',
} as const satisfies Record<string, RunStatus>;

/** Steps that fail because of the image or the request, with what is wrong then; all others are the host's. */
const REJECTIONS: ReadonlyMap<string, (errno: string) => string> = new Map([
  ['root-tmp', (errno) => folderFault('/tmp', errno)],
  ['root-dev', (errno) => folderFault('/dev', errno)],
  ['root-run', (errno) => folderFault('/run', errno)],
  ['root-proc', (errno) => folderFault('/proc', errno)],
  ['files', (errno) => `files: cannot be placed in /tmp (${errno})`],
  ['directory', (errno) => `working directory: cannot be entered (${errno})`],
  ['exec', (errno) => `program: ${EXEC_FAULTS.get(errno) ?? 'cannot be executed'} (${errno})`],
]);

const EXEC_FAULTS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'the interpreter, or its loader, is not in the root filesystem'],
  ['EACCES', 'the interpreter is not executable'],
  ['ENOEXEC', 'the interpreter is not for this machine'],
  ['E2BIG', 'arguments and environment are too long'],
]);

function isRejection(step: string): boolean {
  return REJECTIONS.has(step);
}

function folderFault(folder: string, errno: string): string {
  if (errno === 'ELOOP') return `root filesystem: \`${folder}\` is a symbolic link`;
  if (errno === 'ENOENT') return `root filesystem: has no directory \`${folder}\``;
  if (errno === 'ENOTDIR') return `root filesystem: \`${folder}\` is not a directory`;
  return `root filesystem: \`${folder}\` cannot be used (${errno})`;
}

function errorOf(facts: CellFacts, limits: Limits): RunReport['error'] {
  const [status] = outcomeOf(facts, limits);
  if (status !== 'rejected' && status !== 'internal') return undefined;
  if (facts.failure === undefined) {
    return { step: 'launcher', message: 'launcher: ended without a complete report' };
  }
  const { step, errno } = facts.failure;
  const name = errorName(errno);
  if (step === 'image-lock') return { step, message: `image: is being removed, so nothing was run (${name})` };
  return { step, message: REJECTIONS.get(step)?.(name) ?? `sandbox: the step \`${step}\` failed (${name})` };
}

function eventsOf(facts: CellFacts, denied: readonly DeniedCall[]): readonly RunEvent[] {
  const oomKills = count(facts, 'memory_events', 'oom_kill');
  const pidsMax = count(facts, 'processes_events', 'max');
  const events: RunEvent[] = denied.map(({ syscall, count: times }) => ({
    kind: 'syscall_denied',
    syscall,
    count: times,
  }));
  if (oomKills > 0) events.push({ kind: 'oom_kill', count: oomKills });
  if (pidsMax > 0) events.push({ kind: 'pids_max', count: pidsMax });
  if (facts.truncated.stdout) events.push({ kind: 'output_truncated', stream: 'stdout' });
  if (facts.truncated.stderr) events.push({ kind: 'output_truncated', stream: 'stderr' });
  for (const stream of ['stdout', 'stderr'] as const) {
    const error = facts.lost[stream];
    if (error !== undefined) events.push({ kind: 'output_lost', stream, reason: errorName(error) });
  }
  if (facts.cause === 'wall') events.push({ kind: 'wall' });
  if (facts.cause === 'cpu') events.push({ kind: 'cpu' });
  if (facts.isTmpFull || facts.cause === 'disk') events.push({ kind: 'disk_full' });
  if (facts.survivors > 0) events.push({ kind: 'killed_descendants', count: facts.survivors });
  if (!facts.isCleanupProven) events.push({ kind: 'cleanup_unproven' });
  return events;
}

function isOutOfMemory(facts: CellFacts): boolean {
  return count(facts, 'memory_events', 'oom_kill') > 0;
}

/** The number after `key` in a cgroup file of `key number` rows; 0 when there is none. */
function count(facts: CellFacts, label: string, key: string): number {
  const words = (facts.readings.get(label) ?? '').split(/ +/);
  const index = words.indexOf(key);
  return index < 0 ? 0 : (plainNumber(words[index + 1]) ?? 0);
}

function plainNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,19}$/.test(text) ? Number(text) : null;
}

/** Without control groups, what was measured every few milliseconds; short runs may have ended before the first time. */
function memoryOf({ watched, readings }: CellFacts): RunReport['memory'] {
  if (watched === undefined) return { peak_bytes: plainNumber(readings.get('memory_peak')), enforced_by: 'cgroup' };
  return { peak_bytes: watched.memoryBytes === 0 ? null : watched.memoryBytes, enforced_by: 'watchdog' };
}

/** What the control group counted, every process included; without it, what the main program used. */
function cpuMicros(facts: CellFacts): number {
  if (facts.watched !== undefined) return Math.max(facts.watched.processorNanos / 1000, facts.usageMicros);
  const nanoseconds = plainNumber(facts.readings.get('cpu'));
  const micros = nanoseconds === null ? count(facts, 'cpu', 'usage_usec') : nanoseconds / 1000;
  return micros === 0 ? facts.usageMicros : Math.max(0, micros - facts.beforeMicros);
}

/** Without the cell's own first process. */
function processesPeak(facts: CellFacts): number | null {
  if (facts.watched !== undefined) return facts.watched.tasks;
  const peak = plainNumber(facts.readings.get('processes_peak'));
  return peak === null ? null : Math.max(0, peak - 1);
}

/** `AUDIT_ARCH_*` of linux/audit.h. */
const AUDIT_ARCHES: ReadonlyMap<number, DeniedCall['arch']> = new Map<number, DeniedCall['arch']>([
  [0xc000003e, 'amd64'],
  [0xc00000b7, 'arm64'],
  [0x40000003, 'i386'],
  [0x40000028, 'arm'],
]);

/** `__X32_SYSCALL_BIT` of asm/unistd.h: x32 shares the architecture of amd64. */
const X32_BIT = 0x4000_0000;

function deniedCalls({ facts, syscallName }: VerdictRequest): readonly DeniedCall[] {
  return facts.denied.map(({ auditArch, nr: signed, count: times }) => {
    const number = signed >>> 0;
    const own = AUDIT_ARCHES.get(auditArch) ?? 'amd64';
    const isX32 = own === 'amd64' && number >= X32_BIT;
    const [arch, nr] = isX32 ? (['x32', number - X32_BIT] as const) : ([own, number] as const);
    const name = arch === 'arm' ? undefined : syscallName(arch, nr);
    return { syscall: name ?? `syscall_${nr}`, nr, arch, count: times };
  });
}

function milliseconds(micros: number): number {
  return Math.round(micros / 10) / 100;
}
