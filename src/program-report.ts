import { isUtf8 } from 'node:buffer';
import type { Limits, Tier } from './recipe/recipe.ts';
import type { CellOutcome } from './run/launch-cell.ts';
import type { RunReport, StartKind } from './run/run-report.ts';
import { syscallName } from './run/syscall-tables.ts';
import { judgeRun } from './run/verdict.ts';
import type { RunRequest } from './run-program.ts';

export interface ReportParts {
  readonly request: Pick<RunRequest, 'image' | 'stdio' | 'outputs'>;
  readonly limits: Limits;
  readonly tier: Tier;
  /** `cold` when undefined. */
  readonly start?: StartKind | undefined;
}

/** What the launcher told of a run, and who asked for it → its report. */
export function programReport(outcome: CellOutcome, { request, limits, tier, start }: ReportParts): RunReport {
  const { facts, stdout, stderr } = outcome;
  const files = request.outputs === undefined ? {} : { files: outcome.files };
  const verdict = { ...judgeRun({ facts, limits, tier, start, syscallName }), ...files };
  const image = { name: request.image.name, digest: request.image.diffId };
  return request.stdio === 'capture' ? { ...verdict, image, ...capturedText(stdout, stderr) } : { ...verdict, image };
}

/** Text where both are UTF-8, else base64 of both: nothing is lost or replaced. */
function capturedText(stdout: Buffer, stderr: Buffer): Pick<RunReport, 'stdout' | 'stderr' | 'encoding'> {
  const isText = isUtf8(stdout) && isUtf8(stderr);
  const encoding = isText ? 'utf-8' : 'base64';
  const nodeEncoding = isText ? 'utf8' : 'base64';
  return { stdout: stdout.toString(nodeEncoding), stderr: stderr.toString(nodeEncoding), encoding };
}
