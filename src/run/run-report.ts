import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import type { Limits, Tier } from '../recipe/recipe.ts';
import type { FrameFault } from './output-frames.ts';
import type { RefusalReason } from './egress-rules.ts';

/** `cold`: the cell was made for the run; `warm`: it was there, and waited; `forked`: it was made of one that waits, by fork(2). */
export type StartKind = 'cold' | 'warm' | 'forked';

export const RUN_STATUSES = [
  'ok',
  'error',
  'signal',
  'denied',
  'timeout',
  'cpu_limit',
  'oom',
  'output_limit',
  'disk_limit',
  'cancelled',
  'rejected',
  'internal',
] as const;

export type RunStatus = (typeof RUN_STATUSES)[number];

/** What a run tells. Written as JSON in exactly this shape; keys are snake_case because the report is a format. */
export interface RunReport {
  readonly status: RunStatus;
  /** The main program's exit status, 0 to 255; null when it did not exit by itself. */
  readonly exit_code: number | null;
  /** Name of the signal that ended the main program, such as `SIGSEGV`; null when none did. */
  readonly signal: string | null;
  /** What the kernel and the launcher observed, never what the guest claims. */
  readonly events: readonly RunEvent[];
  /** Present only when output was captured. */
  readonly stdout?: string;
  readonly stderr?: string;
  /** How `stdout` and `stderr` are written here: base64 when either is not UTF-8. */
  readonly encoding?: 'utf-8' | 'base64';
  readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
  readonly time: {
    readonly wall_ms: number;
    readonly cpu_ms: number;
    readonly setup_ms: number;
    readonly start: StartKind;
  };
  readonly memory: { readonly peak_bytes: number | null; readonly enforced_by: 'cgroup' | 'watchdog' };
  readonly processes_peak: number | null;
  readonly denied: readonly DeniedCall[];
  readonly isolation: { readonly tier: Tier; readonly layers: readonly string[]; readonly missing: readonly string[] };
  /** Present only when files were asked for: each one that was taken or could not be, by request and then as they were found. */
  readonly files?: readonly TakenFile[];
  readonly image: { readonly name: string; readonly digest: Digest };
  readonly limits: Limits;
  /** Only with status `rejected` or `internal`: what failed, and in which step. */
  readonly error?: { readonly step: string; readonly message: string };
}

export interface TakenFile {
  /** As it was asked for, and what is below that. Bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** The whole path, where it is not UTF-8. */
  readonly path_base64?: string;
  /** That were written; 0 with an error. */
  readonly bytes: number;
  readonly error?: TakenFileError;
  /** With `not-written`: the name of the system error, such as `ENOSPC`. */
  readonly reason?: string;
}

/**
 * `too-large` and `too-many`: beyond the limits for all files together; `too-deep`: more than 64 folders, or a path of 4 KiB.
 * `not-taken`: the run was cancelled, or nothing was run. `not-written`: this machine could not keep it.
 */
export type TakenFileError = FrameFault | 'not-taken' | 'not-written';

export interface DeniedCall {
  readonly syscall: string;
  /** Without the bit that marks it, for x32. */
  readonly nr: number;
  /** By whose rules it came in. `arm`: of 32 bits, on arm64. */
  readonly arch: Architecture | 'i386' | 'x32' | 'arm';
  readonly count: number;
}

export type RunEvent =
  | { readonly kind: 'oom_kill'; readonly count: number }
  | { readonly kind: 'pids_max'; readonly count: number }
  | { readonly kind: 'output_truncated'; readonly stream: 'stdout' | 'stderr' }
  /** It could not be written to where the caller wanted it, such as to a full disk; not: its reader went away. */
  | { readonly kind: 'output_lost'; readonly stream: 'stdout' | 'stderr'; readonly reason: string }
  | { readonly kind: 'wall' }
  | { readonly kind: 'cpu' }
  | { readonly kind: 'syscall_denied'; readonly syscall: string; readonly count: number }
  /** What this host enforces less than it says: the network of a proxy by its port alone, in tiers C and D. */
  | { readonly kind: 'weak'; readonly layer: 'network' }
  /** /tmp had no room left when the run was over. */
  | { readonly kind: 'disk_full' }
  | { readonly kind: 'killed_descendants'; readonly count: number }
  /** What the guest asked its proxy for and did not get; `host` is the guest's word, cut and made harmless. */
  | {
      readonly kind: 'network_refused';
      readonly host: string;
      readonly port: number;
      readonly reason: RefusalReason;
      readonly count: number;
    }
  /** A host that the list allows, and that the guest asked for. */
  | { readonly kind: 'network_contacted'; readonly host: string; readonly port: number; readonly count: number }
  /** Requests beyond the first 64 different ones. */
  | { readonly kind: 'network_uncounted'; readonly count: number }
  | { readonly kind: 'cleanup_unproven' };
