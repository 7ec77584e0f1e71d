import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What the launcher found that this kernel and this user allow: `mount-namespace` → `yes`, `landlock` → `7`. */
export type CellProbe = ReadonlyMap<string, string>;

/** Undefined when the launcher is not there or cannot be run. Changes nothing on the host. */
export async function probeCell(cellPath: string): Promise<CellProbe | undefined> {
  try {
    const { stdout } = await promisify(execFile)(cellPath, ['probe'], { timeout: 10_000, env: {} });
    return parseProbe(stdout);
  } catch {
    return undefined;
  }
}

/** Lines of `name value`. */
function parseProbe(text: string): CellProbe {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
}
