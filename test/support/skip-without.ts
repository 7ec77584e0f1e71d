import { spawnSync } from 'node:child_process';

/** Whether to go on without something that this machine lacks. Says so loudly; an error where the sandbox must work. */
export function skipWithout(what: string, present: boolean): boolean {
  if (present) return false;
  if (process.env['SANDBOX_MUST_WORK'] === '1') throw new Error(`SANDBOX_MUST_WORK=1, but there is no ${what}`);
  console.warn(`SKIPPED for want of ${what}`);
  return true;
}

/** The same for programs of PATH. */
export function skipWithoutPrograms(...names: readonly string[]): boolean {
  const missing = names.filter((name) => spawnSync(name, ['--version']).error !== undefined);
  return skipWithout(`${missing.join(', ')}: scripts/setup --tests`, missing.length === 0);
}
