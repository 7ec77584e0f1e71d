import { availableParallelism } from 'node:os';
import { CELL_PATH, cellGround, cellHost } from './cell-host.ts';
import type { Architecture } from './base/architecture.ts';
import type { Limits } from './recipe/recipe.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { tagVersion } from './resolve/git-repository.ts';
import { cellLimits, resourceLimits } from './run/cell-limits.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { heardFilter } from './run/heard-filter.ts';
import { launchCell } from './run/launch-cell.ts';
import { programPath, type LaunchPlan } from './run/launch-plan.ts';
import { compilePolicy } from './run/policy.ts';
import { syscallName } from './run/syscall-tables.ts';
import { judgeRun, type Verdict } from './run/verdict.ts';
import { BUILD_FOLDER, WHEEL_DRIVER } from './run/wheel-driver.ts';

export interface BuildCell {
  /** Absolute path of the laid out build environment. */
  readonly root: string;
  /** Absolute path of the interpreter in it. */
  readonly interpreter: string;
  readonly architecture: Architecture;
  /** What the driver reads. */
  readonly input: Uint8Array;
  /** Seconds since 1970, for backends that write times. */
  readonly time: number;
  /** The tag of the commit that is built: what backends would find in its repository. */
  readonly tag?: string | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

export interface BuildCellOutcome {
  readonly verdict: Verdict;
  /** What the driver says. */
  readonly stdout: Buffer;
  /** What backend and compilers say. */
  readonly stderr: Buffer;
}

const MIB = 1024 ** 2;
const MINUTE_MS = 60_000;

/** For compiling large extensions. /tmp counts as memory. */
const LIMITS: Limits = {
  memoryBytes: 6 * 1024 * MIB,
  processes: 512,
  cpuMs: 240 * MINUTE_MS,
  wallMs: 60 * MINUTE_MS,
  outputBytes: 256 * MIB,
  tmpBytes: 4 * 1024 * MIB,
  openFiles: 4096,
};

/** Compilers ask for what they can do without, each time that they are started. */
const MOST_DENIALS = 1_000_000;
/** Sources have many small files. */
const MOST_FILES = 500_000;

const POLICY = { profile: 'python-subprocess', allow: [], deny: [] };

/**
 * Runs the wheel driver in a cell without a network, with a read-only root. Whatever the backend does is told by the
 * outcome. Throws E_SANDBOX where there can be no cell: then nothing was run.
 */
export async function runBuildCell(cell: BuildCell, context: PipelineContext): Promise<BuildCellOutcome> {
  const host = await cellHost('B');
  const limits = { ...LIMITS, ...cell.limits };
  const ground = await cellGround(host, limits, context.now);
  const plan: LaunchPlan = {
    ...ground,
    root: cell.root,
    arguments: [cell.interpreter, '-s', '-B', programPath('build-wheel.py')],
    environment: { ...buildEnvironment(cell.time), ...versionVariables(cell.tag) },
    workingDirectory: '/tmp',
    hostname: 'cell',
    program: { name: 'build-wheel.py', content: Buffer.from(WHEEL_DRIVER, 'utf8') },
    limits: { ...cellLimits(limits), denials: MOST_DENIALS, tmpInodes: MOST_FILES, executableTmp: true },
    resourceLimits: resourceLimits(limits, ground),
    filter: heardFilter(compileFilter(compilePolicy(POLICY, cell.architecture), cell.architecture).program),
  };
  const { outcome } = launchCell({
    plan,
    cellPath: CELL_PATH,
    stdio: 'capture',
    input: cell.input,
    signal: context.signal,
  });
  const { facts, stdout, stderr } = await outcome;
  context.signal.throwIfAborted();
  return { verdict: judgeRun({ facts, limits, tier: ground.tier, syscallName }), stdout, stderr };
}

/** By these, backends that ask the repository for their version are told it. */
function versionVariables(tag: string | undefined): Readonly<Record<string, string>> {
  const version = tagVersion(tag ?? '');
  if (version === undefined) return {};
  return { PBR_VERSION: version, SETUPTOOLS_SCM_PRETEND_VERSION: version };
}

/** Nothing of the host, but for how many processors it has: that decides how long a build takes, not what it gives. */
function buildEnvironment(time: number): Readonly<Record<string, string>> {
  const jobs = `${availableParallelism()}`;
  return {
    CMAKE_BUILD_PARALLEL_LEVEL: jobs,
    HOME: `${BUILD_FOLDER}/home`,
    LC_ALL: 'C.UTF-8',
    MAKEFLAGS: `-j${jobs}`,
    MAX_JOBS: jobs,
    PATH: '/usr/local/bin:/usr/bin:/bin',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONHASHSEED: '0',
    PYTHONNOUSERSITE: '1',
    SOURCE_DATE_EPOCH: `${time}`,
    TMPDIR: `${BUILD_FOLDER}/tmp`,
    TZ: 'UTC',
  };
}
