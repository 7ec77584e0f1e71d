import pMap from 'p-map';
import type { Tree } from '../assemble/tree.ts';
import type { RunReport } from '../run/run-report.ts';
import { IMPORT_TEST, importRows, NAMES_ONLY, type ImportRow } from './import-test.ts';

/** Runs a program with arguments in a cell. */
export type TestRun = (code: string, names: readonly string[]) => Promise<Pick<RunReport, 'status' | 'stdout'>>;

/** Some thousand packages; where most of them take as long as they may, the others do not matter any more. */
const LONGEST_APART_MS = 600_000;
const TOO_LATE = `was not tried: the others took ${LONGEST_APART_MS / 60_000} min`;

/**
 * All in one run. Where that cannot answer, each distribution in its own: all together may take more than any program does. Who
 * answers may be what is to be tried: what there is to try is not asked of it, and all of it has an end.
 */
export async function failedImports(
  run: TestRun,
  installed: () => Promise<readonly string[]>,
): Promise<readonly ImportRow[]> {
  const whole = await importRun(run, []);
  if (typeof whole !== 'string') return whole.filter(isFailure);
  const rows = await importRun(run, [NAMES_ONLY]);
  // Not even without an import: the interpreter itself, or what it starts with.
  if (typeof rows === 'string') return [{ distribution: 'python', module: '', error: rows }];
  const end = performance.now() + LONGEST_APART_MS;
  const each = await pMap(
    await installed(),
    async (name): Promise<readonly ImportRow[]> => {
      if (performance.now() > end) return [{ distribution: name, module: '', error: TOO_LATE }];
      const answer = await importRun(run, [name]);
      return typeof answer === 'string' ? [{ distribution: name, module: '', error: answer }] : answer;
    },
    { concurrency: 2 },
  );
  return each.flat().filter(isFailure);
}

const INFO_FOLDER = /(?:^|\/)([^/]+)\.(?:dist|egg)-info$/;

/** The names of what is installed, as `importRows` has them, whether what imports them would find them or not. */
export function installedDistributions(tree: Tree): readonly string[] {
  const names = [...tree.values()].flatMap(({ kind, path }) => {
    const [name] = (kind === 'directory' ? INFO_FOLDER.exec(path)?.[1] : undefined)?.split('-') ?? [];
    return name === undefined ? [] : [name.toLowerCase().replaceAll(/[_.]/g, '-')];
  });
  return [...new Set(names)];
}

function isFailure({ error }: ImportRow): boolean {
  return error !== '';
}

/** What it answers, or how the run ended that answered nothing. */
async function importRun(run: TestRun, names: readonly string[]): Promise<readonly ImportRow[] | string> {
  const report = await run(IMPORT_TEST, names);
  return importRows(report) ?? `ended the program (${report.status})`;
}
