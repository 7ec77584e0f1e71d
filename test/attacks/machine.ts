import type { Architecture } from '../../src/base/architecture.ts';
import type { OuterFilter } from '../support/restricted-host.ts';
import type { AttackCase } from './attack-case.ts';
import type { AttackRequest, Observed } from './start-attack.mjs';

export type { AttackRequest, Observed } from './start-attack.mjs';

export const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';

/** A host that is attacked: it runs programs, and can be looked at from outside of their reach. */
export interface Machine extends AsyncDisposable {
  /** What stands for things of the host that no guest may reach, by the word in braces. */
  readonly canaries: ReadonlyMap<string, string>;
  /** What the host's own filter refuses, so that no cell hears of it. */
  readonly outer: OuterFilter;
  readonly start: (request: AttackRequest) => StartedAttack;
  /** From now on, `sweep` compares with how it is. With a neighbour running, that one is part of it. */
  readonly settle: () => Promise<void>;
  /** What runs have left behind or changed since; empty when nothing. */
  readonly sweep: () => Promise<readonly string[]>;
}

export interface StartedAttack {
  readonly ended: Promise<Observed>;
  readonly cancel: () => void;
}

/** The request of a case. */
function attackRequest({ canaries }: Machine, attack: AttackCase): AttackRequest {
  const { lang, profile = lang } = attack;
  const isCustom = profile !== lang || attack.allow.length > 0;
  const named = (text: string): string => text.replace('{port}', canaries.get('{port}') ?? '');
  const name = lang === 'node' ? 'attack.mjs' : 'attack.py';
  return {
    program: { kind: 'file', name, base64: attack.program.toString('base64') },
    image: lang === 'node' ? 'nodejs' : 'python',
    arguments: attack.arguments.map((word) => canaries.get(word) ?? word),
    input: attack.input,
    network: typeof attack.network === 'string' ? attack.network : attack.network.map(named),
    proc: attack.proc,
    ...(attack.outputs.length === 0 ? {} : { outputs: attack.outputs.map((path) => ({ path })) }),
    limits: attack.limits,
    ...(isCustom ? { syscalls: { profile, allow: attack.allow } } : {}),
  };
}

export async function runAttack(machine: Machine, attack: AttackCase): Promise<Observed> {
  const started = machine.start(attackRequest(machine, attack));
  const timer = attack.cancelAfterMs === undefined ? undefined : setTimeout(started.cancel, attack.cancelAfterMs);
  const observed = await started.ended;
  clearTimeout(timer);
  return observed;
}

/** Until when a host may take to settle: kernels free memory and file descriptors a moment later. */
const ATTEMPTS = 40;
const PAUSE_MS = 50;

/** Looks again for a while, until there is nothing left. */
export async function sweepPatiently(
  look: () => readonly string[] | Promise<readonly string[]>,
): Promise<readonly string[]> {
  let left = await look();
  for (let attempt = 0; left.length > 0 && attempt < ATTEMPTS; attempt += 1) {
    await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
    left = await look();
  }
  return left;
}
