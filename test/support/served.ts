import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { COMMAND } from './command.ts';

/** A process of `rootcellar serve`. */
export interface Served extends AsyncDisposable {
  /** Where it listens; resolves when it does. */
  readonly url: () => Promise<string>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly kill: (signal: 'SIGTERM' | 'SIGINT') => void;
  /** Bytes that it has in memory. */
  readonly memory: () => Promise<number>;
  /** Exit status. */
  readonly ended: Promise<number | null>;
}

export interface ServedOptions {
  readonly home: string;
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts it as it was built; whatever `words` say, on a port that is free. */
export function served(words: readonly string[], { home, cwd, environment = {} }: ServedOptions): Served {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, ROOTCELLAR_HOME: home, ...environment };
  const child = spawn(process.execPath, [COMMAND, 'serve', ...words], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (texts.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (texts.stderr += String(chunk)));
  const ended = once(child, 'close').then(([status]: (number | null)[]) => status ?? null);
  const url = async (): Promise<string> => {
    await expect.poll(() => LISTENING.test(texts.stderr) || child.exitCode !== null, { timeout: 30_000 }).toBe(true);
    const [, found] = LISTENING.exec(texts.stderr) ?? [];
    if (found === undefined) throw new Error(`it does not listen:\n${texts.stdout}${texts.stderr}`);
    return found;
  };
  return {
    url,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    memory: async () => {
      const text = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
    },
    kill: (signal) => void child.kill(signal),
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const LISTENING = /listening on (http:\S+)/;
