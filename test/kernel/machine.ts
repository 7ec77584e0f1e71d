import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Architecture } from '../../src/base/architecture.ts';

/** What came of one case, as the guest's first process saw it. */
export interface CaseResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly status: Buffer;
  /** What the run left behind; empty when nothing. */
  readonly left: readonly string[];
  /** As waitpid(2) has it. */
  readonly waitStatus: number;
}

export interface Machine {
  readonly architecture: Architecture;
  readonly kernel: string;
  readonly initramfs: string;
  readonly timeoutMs: number;
}

interface HalfResult {
  readonly bytes: Readonly<Record<'stdout' | 'stderr' | 'status', Buffer[]>>;
  readonly left: string[];
  waitStatus: number | undefined;
}

/** By software alone: /dev/kvm is not for this architecture, or is that of a machine which is a guest itself. */
function words({ architecture, kernel, initramfs }: Machine): readonly [string, readonly string[]] {
  const [program, console, model] =
    architecture === 'arm64'
      ? ['qemu-system-aarch64', 'ttyAMA0', '-M virt -cpu max,pauth-impdef=on']
      : ['qemu-system-x86_64', 'ttyS0', '-M q35 -cpu max'];
  const common = `${model} -accel tcg,thread=multi -smp 2 -m 2048 -nic none -no-reboot`;
  const streams = '-display none -monitor none -serial stdio';
  const append = `console=${console} quiet loglevel=1 panic=-1 oops=panic`;
  const own = ['-kernel', kernel, '-initrd', initramfs, '-append', append];
  return [program, [...common.split(' '), ...streams.split(' '), ...own]];
}

/** Boots the machine, and waits until its cases are over. Throws when it does not come to the last one. */
export async function bootMachine(
  machine: Machine,
  tell: (text: string) => void,
): Promise<ReadonlyMap<string, CaseResult>> {
  const [program, own] = words(machine);
  const child = spawn(program, own, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), machine.timeoutMs);
  const results = new Map<string, HalfResult>();
  const stray: string[] = [];
  let isOver = false;
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const text = line.trim();
    if (text === '@over') isOver = true;
    else if (!readLine(text, results)) stray.push(text);
    if (text.startsWith('@begin')) tell(`${text.slice(7)} (${results.size})`);
  }
  await ended;
  clearTimeout(timer);
  if (!isOver)
    throw new Error(`the machine ended early, after ${[...results.keys()].at(-1)}:\n${stray.slice(-40).join('\n')}`);
  return new Map([...results].map(([name, half]) => [name, whole(half)]));
}

/** False for a line that guest-init.c has not written. */
function readLine(line: string, results: Map<string, HalfResult>): boolean {
  const [, kind, name = '', first = '', rest = ''] = /^@(\w+) (\S+) ?(\S*) ?(.*)$/.exec(line) ?? [];
  if (kind === 'begin') {
    results.set(name, { bytes: { stdout: [], stderr: [], status: [] }, left: [], waitStatus: undefined });
    return true;
  }
  const result = results.get(name);
  if (result === undefined) return false;
  if (kind === 'bytes' && isStream(first)) result.bytes[first].push(Buffer.from(rest, 'base64'));
  else if (kind === 'left') result.left.push(`${first} ${rest}`);
  else if (kind === 'end') result.waitStatus = Number(first);
  else return false;
  return true;
}

function isStream(word: string): word is 'stdout' | 'stderr' | 'status' {
  return ['stdout', 'stderr', 'status'].includes(word);
}

function whole({ bytes, left, waitStatus }: HalfResult): CaseResult {
  if (waitStatus === undefined) throw new Error('a case without an end');
  return {
    stdout: Buffer.concat(bytes.stdout),
    stderr: Buffer.concat(bytes.stderr),
    status: Buffer.concat(bytes.status),
    left,
    waitStatus,
  };
}
