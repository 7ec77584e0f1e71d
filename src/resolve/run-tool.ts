import { execa } from 'execa';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import type { Environment } from './resolver-settings.ts';

export interface ToolRun {
  readonly program: string;
  readonly arguments: readonly string[];
  /** The whole environment: nothing else is inherited. */
  readonly environment: Environment;
  readonly folder: string;
  readonly input?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MOST_OUTPUT = 64 * 1024 ** 2;

/**
 * Runs a program to its end. Undefined when there is no such program. A program that is stopped by its time limit or a
 * signal throws E_RESOLVER_FAILED, one that is stopped by `signal` E_CANCELLED, its children go with it; one that failed for want
 * of space E_DISK_FULL.
 */
export async function runTool(run: ToolRun): Promise<ToolResult | undefined> {
  if (run.signal?.aborted === true) throw cancelled(run);
  const result = await execa(run.program, run.arguments, {
    env: run.environment,
    extendEnv: false,
    cwd: run.folder,
    input: run.input ?? '',
    reject: false,
    timeout: run.timeoutMs,
    forceKillAfterDelay: 2000,
    maxBuffer: MOST_OUTPUT,
    stripFinalNewline: false,
    ...(run.signal === undefined ? {} : { cancelSignal: run.signal }),
  });
  if (result.isCanceled) throw cancelled(run);
  if (result.timedOut) throw failed(run, `took longer than ${run.timeoutMs / 1000} s`);
  if (result.code === 'ENOENT') return undefined;
  if (result.exitCode === undefined) throw failed(run, result.shortMessage ?? 'it ended without a status');
  const { exitCode, stdout, stderr } = result;
  // Whatever a tool calls that, such as a download that failed.
  if (exitCode !== 0 && /No space left on device|Disk quota exceeded/.test(`${stderr}\n${stdout}`)) throw full(run);
  return { exitCode, stdout, stderr };
}

/**
 * For a folder that is to get a name for good and is never looked into again: it must be whole after a loss of power too.
 * One syncfs(2), by way of coreutils.
 */
export async function syncFileSystem(
  folder: string,
  { environment, signal }: { readonly environment: Environment; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const sync = { program: 'sync', arguments: ['--file-system', folder], environment, folder, signal };
  await runTool({ ...sync, timeoutMs: 600_000 });
}

function cancelled(run: ToolRun): RootcellarError {
  return new RootcellarError('E_CANCELLED', `${run.program}: stopped`);
}

function full({ program, folder }: ToolRun): RootcellarError {
  return new RootcellarError('E_DISK_FULL', `${program}: no space was left for what it writes`, {
    hint: `df -h ${shellWord(folder)} /tmp, and free space`,
  });
}

function failed(run: ToolRun, what: string): RootcellarError {
  return new RootcellarError('E_RESOLVER_FAILED', `${run.program}: ${what}`);
}
