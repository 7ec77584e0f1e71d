import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LaunchPlan } from '../../src/run/launch-plan.ts';
import { CANNOT_SANDBOX, NATIVE, toyFilter } from '../native/toy-cell.ts';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import { attackCases } from './attack-case.ts';
import { localMachine } from './local-machine.ts';
import { isCaught } from './check-outcome.ts';
import { ARCHITECTURE, runAttack, type Machine } from './machine.ts';
import { setVariation, type Variation } from './variation.ts';

vi.mock(import('../../src/run/launch-cell.ts'), async (original) => {
  const real = await original();
  const { varied } = await import('./variation.ts');
  return { ...real, launchCell: (request) => real.launchCell(varied(request)) };
});

/** Each layer, how it is taken away, and attacks that only it stops. */
const LAYERS: readonly (readonly [layer: string, vary: Variation, attacks: readonly string[]])[] = [
  [
    'the filter',
    planned({ filter: toyFilter([process.arch === 'x64' ? 59 : 221]) }),
    ['K6', 'K12', 'K12-proxy', 'K12-host', 'N4', 'P14', 'X2', 'J2', 'J18'],
  ],
  ['control groups', generous, ['P2', 'P11-slow']],
  ['the limit of processor time', limited({ cpuMs: 3_600_000, wallMs: 1000 }), ['P7']],
  ['the output limit', limited({ outputBytes: 2 ** 31, wallMs: 500 }), ['P15']],
  ['the limit on denied calls', limited({ denials: 1e9, wallMs: 1000 }), ['K20']],
  ['the size of /tmp', limited({ tmpBytes: 2 ** 28 }), ['F18-ends']],
  ['the number of inodes', limited({ tmpInodes: 2 ** 20, wallMs: 1500 }), ['F13']],
  ['limits of the kernel', planned({ resourceLimits: [] }), ['F18']],
  ['the read-only root', built('root.c', 'MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |', 'MOUNT_ATTR_NOSUID |'), ['F5']],
  ['Landlock', built('landlock.c', 'if (version == 0 &&', 'if (version >= 0 &&'), ['N3-any']],
  ['the pid namespace', built('cell.c', 'CLONE_NEWNS | CLONE_NEWPID |', 'CLONE_NEWNS |'), ['P9']],
  ['a /tmp without programs', built('root.c', '0 : MOUNT_ATTR_NOEXEC', '0 : 0'), ['J4']],
  [
    'looking beneath /tmp only',
    built(
      'outputs.c',
      `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
\t\t\t      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV`,
      '0',
    ),
    ['F13-out'],
  ],
  ['the limit of entries', built('outputs.c', 'if (taking->entries_left > 0) {', 'if (true) {'), ['F13-many']],
  ['a /proc of processes only', built('root.c', '"subset", "pid"', '"hidepid", "invisible"'), ['F6-proc']],
  ['a /proc of own processes only', built('root.c', '"hidepid", "invisible"', '"hidepid", "off"'), ['F3-proc']],
  ['own devices', built('root.c', '{ "null", 3 },', '{ "null", 3 }, { "mem", 1 },'), ['F16']],
];

function planned(change: Partial<LaunchPlan>): Variation {
  return (request) => ({ ...request, plan: { ...request.plan, ...change } });
}

function limited(change: Partial<LaunchPlan['limits']>): Variation {
  return (request) => ({ ...request, plan: { ...request.plan, limits: { ...request.plan.limits, ...change } } });
}

/** Control groups that allow so much that nothing reaches it in this time. */
function generous(request: Parameters<Variation>[0]): ReturnType<Variation> {
  const { plan } = request;
  if (plan.cgroups === undefined) throw new Error('this host has no control groups');
  const settings = plan.cgroups.settings.map((setting) =>
    /^[1-9]\d*$/.test(setting.value) ? { ...setting, value: `${Number(setting.value) * 64}` } : setting,
  );
  return {
    ...request,
    plan: { ...plan, limits: { ...plan.limits, wallMs: 500 }, cgroups: { ...plan.cgroups, settings } },
  };
}

const folder = mkdtempSync(join(tmpdir(), 'rootcellar-layers-'));

/** A launcher of its own, with one text of one source file replaced. */
function built(file: string, from: string, to: string): Variation {
  let cellPath: string | undefined;
  return (request) => {
    cellPath ??= buildChanged(file, from, to);
    return { ...request, cellPath };
  };
}

function buildChanged(file: string, from: string, to: string): string {
  const copy = mkdtempSync(join(folder, 'native-'));
  cpSync(NATIVE, copy, { recursive: true, filter: (path) => !path.endsWith('/build') });
  const text = readFileSync(join(copy, file), 'utf8');
  if (!text.includes(from)) throw new Error(`native/${file} has no \`${from}\` any more`);
  writeFileSync(join(copy, file), text.replace(from, to));
  execFileSync('make', ['-s', '-C', copy, 'CFLAGS=-O1', 'build/cell'], { stdio: 'pipe' });
  return join(copy, 'build', 'cell');
}

describe.skipIf(CANNOT_SANDBOX)('an attack is caught because of a layer', () => {
  let host: Machine;
  const cases = new Map(attackCases(ARCHITECTURE).map((attack) => [attack.id, attack]));

  beforeAll(async () => {
    await pythonImage();
    await nodeImage();
    host = await localMachine(sharedHome(), { firstUid: 1_800_001_000, count: 64 });
  });
  afterAll(async () => {
    setVariation(undefined);
    await host[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it.each(LAYERS.flatMap(([layer, vary, ids]) => ids.map((id) => [layer, id, vary] as const)))(
    'without %s, %s goes red',
    async (_, id, vary) => {
      const attack = cases.get(id);
      if (attack === undefined) throw new Error(`no attack ${id}`);
      setVariation(vary);
      const observed = await runAttack(host, attack);
      expect('report' in observed ? observed.report.error : observed.message).toBeUndefined();
      expect(isCaught(attack, observed, host.outer)).toBe(false);
    },
  );
});
