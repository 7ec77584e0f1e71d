import { constants } from 'node:os';
import { ARCHITECTURES } from '../base/architecture.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { limitText } from '../run/limit-text.ts';
import type { RunReport, TakenFileError } from '../run/run-report.ts';

const TIME_LIMIT = 124;
const SANDBOX_FAILED = 125;

/** The exit status for a report; 1 for a run that ended well when something that it gave could not be kept. */
export function runStatus(report: RunReport, passedOn?: string): number {
  const status = programStatus(report, passedOn);
  return status === 0 && lossLines(report).length > 0 ? 1 : status;
}

/**
 * The program's own, 128 + n by a signal, 124 for a time limit, 125 when the sandbox failed.
 * What was killed for another reason ends as SIGKILL would: 137; a cancelled run as the signal that was `passedOn` would.
 */
function programStatus({ status, exit_code: exitCode, signal }: RunReport, passedOn?: string): number {
  switch (status) {
    case 'ok':
    case 'error':
      return exitCode ?? 1;
    case 'signal':
      return 128 + signalNumber(signal);
    case 'denied':
      return 128 + signalNumber('SIGSYS');
    case 'timeout':
    case 'cpu_limit':
      return TIME_LIMIT;
    case 'cancelled':
      return 128 + signalNumber(passedOn ?? 'SIGKILL');
    case 'disk_limit':
      return exitCode ?? 128 + signalNumber(signal);
    case 'oom':
    case 'output_limit':
      return 128 + signalNumber('SIGKILL');
    case 'rejected':
    case 'internal':
      return SANDBOX_FAILED;
  }
}

/** What a person should know beyond the program's output; empty when it ended well and by itself. */
export function runSummary(report: RunReport): string {
  const { status, limits, signal, error } = report;
  const lines: string[] = [];
  const limit = limitText(status, limits);
  if (limit !== undefined) lines.push(limit);
  if (status === 'signal') lines.push(`the program was ended by ${signal ?? 'a signal'}`);
  if (status === 'cancelled') lines.push('the run was cancelled');
  if (status !== 'ok') lines.push(...deniedLines(report), ...refusedLines(report));
  if (report.events.some(({ kind }) => kind === 'pids_max') && status !== 'ok') {
    lines.push(`it reached its limit of ${limits.processes} processes and threads (\`processes\`)`);
  }
  return `${failureText(error)}${lines.map((line) => `rootcellar: ${line}\n`).join('')}${lossText(report)}`;
}

/** Output and files that the program gave and that are not there; empty when all are. */
export function lossText(report: RunReport): string {
  return lossLines(report)
    .map((line) => `rootcellar: ${line}\n`)
    .join('');
}

const MOST_LOSS_LINES = 20;

function lossLines({ events, files = [] }: RunReport): readonly string[] {
  const lost = events.flatMap((event) =>
    event.kind === 'output_lost' ? [`its output is lost: ${event.stream} cannot be written (${event.reason})`] : [],
  );
  const failed = files.filter(({ error }) => error !== undefined);
  const rows = failed
    .slice(0, MOST_LOSS_LINES)
    .map(({ path, error, reason }) => `not taken: ${quotedWord(path)}: ${FILE_ERRORS[error ?? 'not-taken'](reason)}`);
  const more = failed.length - rows.length;
  return [...lost, ...rows, ...(more > 0 ? [`and ${more} more files: --report FILE names them`] : [])];
}

const FILE_ERRORS: Readonly<Record<TakenFileError, (reason: string | undefined) => string>> = {
  missing: () => 'there is no such file',
  symlink: () => 'is a symbolic link, or behind one',
  'not-a-file': () => 'is neither a file nor a folder',
  'too-large': () => 'is larger than what may be taken (`tmp`)',
  'too-many': () => 'has too many files',
  'too-deep': () => 'has folders too deep in each other',
  outside: () => 'is not in /tmp',
  unreadable: () => 'cannot be read',
  'not-taken': () => 'nothing was taken from this run',
  'not-written': (reason) => `cannot be written here (${reason ?? 'EIO'})`,
};

/** Why nothing was run; empty when something was. */
export function failureText(error: RunReport['error']): string {
  if (error === undefined) return '';
  const isImage = error.step.startsWith('root-');
  const code = isImage ? 'E_ROOTFS_UNSAFE' : 'E_SANDBOX';
  const hint = isImage ? 'build the image from a recipe, or mend its tar' : 'rootcellar doctor';
  return `error[${code}] ${error.message}; nothing was run\n  hint: ${hint}\n`;
}

function deniedLines({ denied }: RunReport): readonly string[] {
  if (denied.length === 0) return [];
  const calls = denied.map(({ syscall, nr, arch, count }) => `${syscall} (${arch} ${nr}) × ${count}`).join(', ');
  const isForeign = denied.some(({ arch }) => !ARCHITECTURES.some((own) => own === arch));
  const remedy = isForeign
    ? 'nothing allows calls by the rules of another architecture'
    : '`sandbox.syscalls.allow` in the recipe can add them';
  return [`denied system calls: ${calls}; ${remedy}`];
}

const MOST_REFUSED = 5;

function refusedLines({ events }: RunReport): readonly string[] {
  const refused = events.flatMap((event) => (event.kind === 'network_refused' ? [event] : []));
  if (refused.length === 0) return [];
  const shown = refused.slice(0, MOST_REFUSED).map(({ host, port, reason, count }) => {
    const target = port === 0 ? host : `${host}:${port}`;
    return `${target === '' ? 'a request' : target} (${reason.replaceAll('_', ' ')}) × ${count}`;
  });
  const more = refused.length > MOST_REFUSED ? `, and ${refused.length - MOST_REFUSED} more` : '';
  return [`refused by its proxy: ${shown.join(', ')}${more}; --allow-host, or the recipe, can add hosts`];
}

function signalNumber(name: string | null): number {
  const known = Object.entries(constants.signals).find(([one]) => one === name)?.[1];
  return known ?? Number(/\d+$/.exec(name ?? '')?.[0] ?? 0);
}
