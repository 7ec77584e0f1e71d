import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { COMMAND } from './command.ts';

/** A process of a command that does not end by itself. */
export interface Lasting extends AsyncDisposable {
  readonly pid: number | undefined;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly kill: (signal: 'SIGTERM' | 'SIGINT') => void;
  /** Bytes that it has in memory. */
  readonly memory: () => Promise<number>;
  /** Exit status. */
  readonly ended: Promise<number | null>;
}

/** A process of `rootcellar serve`. */
export interface Served extends Lasting {
  /** Where it listens; resolves when it does. */
  readonly url: () => Promise<string>;
}

export interface ServedOptions {
  readonly home: string;
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts it as it was built; whatever `words` say, on a port that is free. */
export function served(words: readonly string[], options: ServedOptions): Served {
  const lasting = startLasting(['serve', ...words], options);
  let hasEnded = false;
  void lasting.ended.then(() => (hasEnded = true));
  const url = async (): Promise<string> => {
    await expect.poll(() => LISTENING.test(lasting.stderr()) || hasEnded, { timeout: 30_000 }).toBe(true);
    const [, found] = LISTENING.exec(lasting.stderr()) ?? [];
    if (found === undefined) throw new Error(`it does not listen:\n${lasting.stdout()}${lasting.stderr()}`);
    return found;
  };
  return { ...lasting, url };
}

const LISTENING = /listening on (http:\S+)/;

export function startLasting(words: readonly string[], { home, cwd, environment = {} }: ServedOptions): Lasting {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, ROOTCELLAR_HOME: home, ...environment };
  const child = spawn(process.execPath, [COMMAND, ...words], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (texts.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (texts.stderr += String(chunk)));
  const ended = once(child, 'close').then(([status]: (number | null)[]) => status ?? null);
  return {
    pid: child.pid,
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
