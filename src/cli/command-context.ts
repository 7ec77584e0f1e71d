import { setMaxListeners } from 'node:events';
import { arch, geteuid } from 'node:process';
import type { Architecture } from '../base/architecture.ts';
import { parseArchitecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { errorText } from './error-text.ts';
import type { Reporter } from './reporter.ts';
import { createReporter } from './reporter.ts';

/** The flags that every verb understands. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  /** Lines even on a terminal; no flag, but what some commands need. */
  readonly plain?: boolean;
}

/** What a verb gets from the process that it runs in. */
export interface CommandContext {
  readonly reporter: Reporter;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly hostArchitecture: Architecture;
  /** Effective user. */
  readonly uid: number;
}

/** A verb's work; the number is the exit status. */
export type Verb = (context: CommandContext) => Promise<number>;

/** Gives the verb its context, ends the display, and reports a failure once. Returns the exit status. */
export async function runVerb(flags: CommonFlags, verb: Verb): Promise<number> {
  const { stdout, stderr, env } = process;
  const { json = false, quiet = false, verbose = false, plain = false } = flags;
  const reporter = await createReporter({ json, quiet, verbose, plain, stdout, stderr, environment: env });
  const cancellation = cancelOnSignals();
  watchOutput();
  process.on('SIGUSR1', ignoreDebugSignal);
  try {
    const status = await verb({
      reporter,
      environment: env,
      signal: cancellation.signal,
      hostArchitecture: hostArchitecture(),
      uid: geteuid?.() ?? 0,
    });
    await reporter.close('done');
    return status;
  } catch (error) {
    await reporter.close('failed');
    const { diskError } = await import('./disk-error.ts');
    const shown = cancellation.signal.aborted ? cancelled(error) : diskError(error);
    reporter.failure(shown);
    const { exitStatusOf } = await import('./error-text.ts');
    return cancellation.status() ?? exitStatusOf(shown);
  } finally {
    cancellation.release();
  }
}

/**
 * Whoever reads our output may go, or have no room: the first ends us quietly, the second is an error. It is told once, and
 * not where `--json` would put it: that is what cannot be written.
 */
function watchOutput(): void {
  let isTold = false;
  process.stdout.on('error', (error: Error & { readonly code?: string }) => {
    process.exitCode = error.code === 'EPIPE' ? 141 : 1;
    if (error.code !== 'EPIPE' && !isTold) process.stderr.write(`${errorText(outputFull(error))}\n`);
    isTold = true;
  });
  process.stderr.on('error', () => undefined);
}

function outputFull(cause: Error): RootcellarError {
  return new RootcellarError('E_DISK_FULL', 'stdout: cannot be written', { hint: 'free space where it goes', cause });
}

/** Without a listener, Node opens its debugger on this signal. */
function ignoreDebugSignal(): void {}

const SIGNAL_STATUS: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The first signal asks for a clean stop; further ones are ignored, because the clean stop is under way. */
function cancelOnSignals(): { signal: AbortSignal; status: () => number | undefined; release: () => void } {
  const controller = new AbortController();
  // Each request of a resolver listens: Node would take a hundred of them for a leak, and say so on stderr.
  setMaxListeners(0, controller.signal);
  let status: number | undefined;
  const onSignal = (name: string): void => {
    status ??= SIGNAL_STATUS[name];
    controller.abort(new RootcellarError('E_CANCELLED', `stopped by ${name}`));
  };
  const names = Object.keys(SIGNAL_STATUS);
  for (const name of names) process.on(name, onSignal);
  const release = (): void => {
    for (const name of names) process.off(name, onSignal);
  };
  return { signal: controller.signal, status: () => status, release };
}

/** Whatever a stopped stage threw, the cause was the signal. */
function cancelled(error: unknown): RootcellarError {
  if (error instanceof RootcellarError && error.code === 'E_CANCELLED') return error;
  return new RootcellarError('E_CANCELLED', 'stopped by a signal; nothing half-made was left', { cause: error });
}

function hostArchitecture(): Architecture {
  const architecture = parseArchitecture(arch);
  if (architecture !== undefined) return architecture;
  throw new RootcellarError('E_USAGE', `this machine: no support for \`${arch}\``, { hint: 'use amd64 or arm64' });
}
