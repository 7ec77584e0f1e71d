import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LaunchPlan } from '../../src/run/launch-plan.ts';
import { CANNOT_SANDBOX, NATIVE, toyFilter } from '../native/toy-cell.ts';
import { nodeImage, pythonImage, sharedHome } from '../support/command.ts';
import { attackCases, LAYERS, type AttackCase, type Layer } from './attack-case.ts';
import { localMachine } from './local-machine.ts';
import { isCaught } from './check-outcome.ts';
import { ARCHITECTURE, runAttack, type Machine } from './machine.ts';
import { setVariation, type Variation } from './variation.ts';

vi.mock(import('../../src/run/launch-cell.ts'), async (original) => {
  const real = await original();
  const { varied } = await import('./variation.ts');
  return { ...real, launchCell: (request) => real.launchCell(varied(request)) };
});

/** How each layer is taken away. */
const WITHOUT: Readonly<Record<Layer, Variation>> = {
  filter: planned({ filter: toyFilter([process.arch === 'x64' ? 59 : 221]) }),
  'control-groups': generous,
  'processor-time': limited({ cpuMs: 3_600_000, wallMs: 1000 }),
  // The test cancels the run a second later.
  wall: limited({ wallMs: 3_600_000, cpuMs: 3_600_000 }),
  output: limited({ outputBytes: 2 ** 31, wallMs: 500 }),
  denials: limited({ denials: 1e9, wallMs: 1000 }),
  'tmp-size': limited({ tmpBytes: 2 ** 28 }),
  'tmp-inodes': limited({ tmpInodes: 2 ** 20, wallMs: 1500 }),
  rlimits: planned({ resourceLimits: [] }),
  root: hostRoot,
  'read-only-root': built('root.c', 'MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |', 'MOUNT_ATTR_NOSUID |'),
  descriptors: built('init.c', 'dup3(inside->link, LINK, O_CLOEXEC)', 'dup3(inside->link, LINK, 0)'),
  landlock: built('landlock.c', 'if (version == 0 &&', 'if (version >= 0 &&'),
  'process-namespace': built('start.c', 'CLONE_NEWNS | CLONE_NEWPID |', 'CLONE_NEWNS |'),
  noexec: built('root.c', '0 : MOUNT_ATTR_NOEXEC', '0 : 0'),
  devices: built('root.c', '{ "urandom", 9 }', '{ "mem", 1 }'),
  'no-proc': planned({ hasProc: true }),
  'proc-subset': built('root.c', '"subset", "pid"', '"hidepid", "invisible"'),
  'proc-own': built('root.c', '"hidepid", "invisible"', '"hidepid", "off"'),
  beneath: built(
    'outputs.c',
    `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
\t\t\t      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV`,
    '0',
  ),
  entries: built('outputs.c', 'if (taking->entries_left > 0) {', 'if (true) {'),
};

/** This machine's own root in the place of the image's, with its own Python. */
function hostRoot(request: Parameters<Variation>[0]): ReturnType<Variation> {
  const words = ['/usr/bin/python3', ...request.plan.arguments.slice(1)];
  return { ...request, plan: { ...request.plan, root: '/', arguments: words } };
}

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

  const all = [...cases.values()].filter(({ architectures }) => architectures.includes(ARCHITECTURE));

  it.each(
    all.flatMap((attack) =>
      attack.stopped_by.flatMap((layer) => (isLayer(layer) ? [[layer, attack.id, attack] as const] : [])),
    ),
  )('without %s, %s goes red', async (layer, _, attack) => {
    setVariation(WITHOUT[layer]);
    const observed = await runAttack(host, layer === 'wall' ? { ...attack, cancelAfterMs: AFTER_WALL_MS } : attack);
    expect('report' in observed ? observed.report.error : observed.message).toBeUndefined();
    expect(isCaught(attack, observed, host.outer)).toBe(false);
  });

  it('every layer is what stops some attack', () => {
    const named = new Set(all.flatMap((attack) => attack.stopped_by));
    expect(LAYERS.filter((layer) => !named.has(layer))).toEqual([]);
  });
});

/** More than any of those cases has. */
const AFTER_WALL_MS = 2500;

function isLayer(layer: AttackCase['stopped_by'][number]): layer is Layer {
  return layer !== 'several' && layer !== 'nothing';
}
