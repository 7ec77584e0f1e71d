import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const COMMAND = join(import.meta.dirname, '../../dist/cli/main.js');

export interface PhaseTime {
  readonly phase: string;
  readonly ms: number;
}

/** What a line of `--verbose` begins with, and the phase that ends when it comes. */
const ENDS: readonly (readonly [RegExp, string])[] = [
  [/^assemble: assemble/, 'start, load code, read recipe, lockfile and indexes of packs'],
  [/^assemble: \d/, 'merge, generate files, closure'],
  [/^pack: pack/, 'open packs'],
  [/^pack: \d+ entries/, 'headers, read, hash, write'],
];

/** Runs a command of ours with `--verbose`, and tells how long it was until each phase's end after the one before. */
export async function phaseTimes(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly PhaseTime[]> {
  const start = performance.now();
  const child = spawn(process.execPath, [COMMAND, ...words, '--verbose'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const times: PhaseTime[] = [];
  let last = start;
  const add = (phase: string): void => {
    const now = performance.now();
    times.push({ phase, ms: now - last });
    last = now;
  };
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    const phase = ENDS[times.length];
    if (phase?.[0].test(line) === true) add(phase[1]);
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${String(status)}`);
  add('put into the store, end');
  return times;
}
