import type { RunReport } from '../run/run-report.ts';
import { goJson, type GoValue } from './go-json.ts';

/** What every answer of dify-sandbox's API is written in. `code`: 0, or negative for an error. */
export function difyEnvelope(code: number, message: string, data: GoValue): string {
  return goJson({ code, message, data });
}

export function difyError(code: number, message: string): string {
  return difyEnvelope(code, message, null);
}

/**
 * A run's answer: all members of both generations. Where ours ends a run that dify-sandbox would have let go on, or tells more,
 * `error` says so in a line of its own after theirs.
 */
export function difyRunAnswer(report: RunReport): string {
  if (report.status === 'rejected' || report.status === 'internal' || report.status === 'cancelled') {
    return difyError(-500, report.error?.message ?? `the run was ${report.status}`);
  }
  const stdout = outputOf(report, 'stdout');
  const stderr = outputOf(report, 'stderr');
  const exitCode = exitCodeOf(report);
  const error = exitCode === 0 ? '' : errorOf(report, exitCode, stderr);
  return difyEnvelope(0, 'success', { stdout, stderr, error, exit_code: exitCode });
}

/** -1 for whatever did not exit by itself, as Go has it. */
function exitCodeOf({ status, exit_code: exitCode }: RunReport): number {
  return status === 'ok' || status === 'error' || status === 'disk_limit' ? (exitCode ?? -1) : -1;
}

/** Text as it is, since a copy of it can be large. */
function outputOf(report: RunReport, stream: 'stdout' | 'stderr'): string | Buffer {
  const output = report[stream] ?? '';
  return report.encoding === 'base64' ? Buffer.from(output, 'base64') : output;
}

function errorOf(report: RunReport, exitCode: number, stderr: string | Buffer): string | Buffer {
  const lines = [`process exited with code ${exitCode}`, ...reasonsOf(report)];
  const isAlone = lines.length === 1 && stderr.length === 0;
  const head = `${lines.join('\n')}${isAlone ? '' : '\n'}`;
  return typeof stderr === 'string' ? `${head}${stderr}` : Buffer.concat([Buffer.from(head), stderr]);
}

/** The first two are dify-sandbox's own words, which its users look for. */
const REASONS: Readonly<Partial<Record<RunReport['status'], string>>> = {
  timeout: 'error: timeout',
  cpu_limit: 'error: timeout',
  denied: 'error: operation not permitted',
  oom: 'error: memory limit exceeded',
  output_limit: 'error: output limit exceeded',
  disk_limit: 'error: disk limit exceeded',
};

function reasonsOf({ status, denied }: RunReport): readonly string[] {
  const reason = REASONS[status];
  const names = [...new Set(denied.map(({ syscall }) => syscall))];
  // The call was answered with an error where dify-sandbox kills, and then the program failed.
  const isBlamed = names.length > 0 && (status === 'error' || status === 'signal' || status === 'denied');
  const first = reason ?? (isBlamed ? 'error: operation not permitted' : undefined);
  return [...(first === undefined ? [] : [first]), ...(isBlamed ? [`denied system calls: ${names.join(', ')}`] : [])];
}
