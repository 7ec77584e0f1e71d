import { join } from 'node:path';
import type { Architecture } from '../../src/base/architecture.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/recipe/recipe.ts';
import { parseLimitSetting } from '../../src/recipe/limit-setting.ts';
import { cellEnvironment } from '../../src/run/cell-environment.ts';
import { cellLimits, resourceLimits } from '../../src/run/cell-limits.ts';
import { cellPaths, pathVariables } from '../../src/run/cell-start.ts';
import { planCgroups } from '../../src/run/cgroup-plan.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { heardFilter } from '../../src/run/heard-filter.ts';
import { encodePlan } from '../../src/run/launch-plan.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { readStatus } from '../../src/run/status-reader.ts';
import { syscallName } from '../../src/run/syscall-tables.ts';
import { judgeRun } from '../../src/run/verdict.ts';
import type { CaseResult } from './machine.ts';

/** One program, to be run by `cell` on another machine. */
export interface KernelCase {
  /** One word; also the name of its control group. */
  readonly name: string;
  readonly what: string;
  readonly program: Uint8Array;
  readonly arguments?: readonly string[];
  readonly input?: Uint8Array;
  readonly cancelAfterMs?: number | undefined;
  readonly limits?: readonly string[];
  readonly profile?: string | undefined;
  readonly allow?: readonly string[];
  readonly hasProc?: boolean;
}

/** The machine that is to run it. */
export interface Target {
  readonly architecture: Architecture;
  /** Absolute path of the interpreter in the image. */
  readonly interpreter: string;
  /** How many times longer everything may take than on a real machine. */
  readonly slowness: number;
}

/** Where guest-init.c has the image. */
export const IMAGE = 'image';
const GROUPS = { directory: '/sys/fs/cgroup', controllers: ['memory', 'pids', 'cpu'] };

function limitsOf({ limits = [] }: KernelCase, { slowness }: Target): Limits {
  const merged: Limits = { ...DEFAULT_LIMITS, ...Object.assign({}, ...limits.map(parseLimitSetting)) };
  return { ...merged, wallMs: merged.wallMs * slowness, cpuMs: merged.cpuMs * slowness };
}

/** The plan that startProgram() makes, for a machine with control groups of version 2 alone. */
export function planOf(one: KernelCase, target: Target): Uint8Array {
  const limits = limitsOf(one, target);
  const host = { versionOne: new Map<string, string>(), versionTwo: GROUPS };
  const cgroups = planCgroups(host, one.name, limits);
  if (cgroups === undefined) throw new Error('unreachable: all controllers are there');
  const policy = compilePolicy(
    { profile: one.profile ?? 'python', allow: [...(one.allow ?? [])], deny: [] },
    target.architecture,
  );
  const root = `/${IMAGE}`;
  const paths = cellPaths('A', root, undefined);
  return encodePlan({
    tier: 'A',
    root,
    arguments: [target.interpreter, '-I', '-B', join(paths.program, 'attack.py'), ...(one.arguments ?? [])],
    environment: cellEnvironment({}, 2, pathVariables(paths)),
    workingDirectory: paths.tmp,
    hostname: 'cell',
    program: { name: 'attack.py', content: one.program },
    identities: { firstUid: 1_900_000_000, count: 64, lockFile: '/run/rootcellar/uids' },
    limits: cellLimits(limits),
    resourceLimits: resourceLimits(limits, { tier: 'A', cgroups }),
    cgroups,
    filter: heardFilter(compileFilter(policy, target.architecture).program),
    hasProc: one.hasProc,
  });
}

/** The report that startProgram() gives, of what the other machine has told. */
export function reportOf(one: KernelCase, result: CaseResult, target: Target): RunReport {
  const facts = readStatus(result.status.toString('latin1'));
  const verdict = judgeRun({ facts, tier: 'A', limits: limitsOf(one, target), syscallName });
  const isText = [result.stdout, result.stderr].every((bytes) => Buffer.from(bytes.toString('utf8')).equals(bytes));
  const encoding = isText ? 'utf8' : 'base64';
  return {
    ...verdict,
    image: { name: 'python', digest: `sha256:${'0'.repeat(64)}` },
    stdout: result.stdout.toString(encoding),
    stderr: result.stderr.toString(encoding),
    encoding: isText ? 'utf-8' : 'base64',
  };
}
