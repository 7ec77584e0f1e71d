import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

export function hasUv(folder: string): boolean {
  return spawnSync(join(folder, 'uv'), ['--version']).status === 0;
}

/** A folder with uv: one of PATH, else a virtual environment that is made at `venv`. Undefined where it cannot be had. */
export function findUv(venv: string): string | undefined {
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-m', 'venv', venv]],
    [join(venv, 'bin/pip'), ['install', '--quiet', 'uv']],
  ];
  const found = (process.env['PATH'] ?? '').split(delimiter).find(hasUv);
  if (found !== undefined) return found;
  return steps.every(([program, words]) => spawnSync(program, words).status === 0) ? join(venv, 'bin') : undefined;
}
