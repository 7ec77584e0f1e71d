import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchCell, type CellOutcome } from '../../src/run/launch-cell.ts';
import { encodePlan, type LaunchPlan } from '../../src/run/launch-plan.ts';
import { parkCell } from '../../src/run/park-cell.ts';
import type { Tier } from '../../src/recipe/recipe.ts';
import { CANNOT_SANDBOX, guestPids, makeToyHost, removeToyHost, toyPlan, verdictOf } from './toy-cell.ts';
import type { ToyHost, ToyRun } from './toy-cell.ts';

const PROGRAMS = [
  'exit-with',
  'daemonise',
  'fork-bomb',
  'memory-hog',
  'spin',
  'fill-tmp',
  'leave-mess',
  'ignore-signals',
  'open-paths',
  'wait-for-job',
];
const FIRST_UID = 340_000;

/**
 * Cells as they are where namespaces or privileges cannot be had. Started with fewer privileges here, since the launcher does
 * what its plan says; that it is planned so on such hosts is tried by test/attacks.
 */
describe.skipIf(CANNOT_SANDBOX)('a cell without all privileges', () => {
  let host: ToyHost;
  let asUser: string;
  let places: string;
  let runs = 0;

  beforeAll(() => {
    host = makeToyHost(PROGRAMS, FIRST_UID);
    chmodSync(host.folder, 0o755);
    asUser = join(host.folder, 'cell-as-user');
    const words = `setpriv --reuid ${FIRST_UID} --regid ${FIRST_UID} --clear-groups -- ${host.cellPath}`;
    writeFileSync(asUser, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    places = join(host.folder, 'places');
    mkdirSync(places);
    chownSync(places, FIRST_UID, FIRST_UID);
    mkdirSync(join(host.folder, 'slots'));
    execFileSync('cp', ['-al', host.root, join(host.folder, 'slots', '0')]);
  }, 60_000);
  afterAll(() => removeToyHost(host));

  /** The plan of a run in a tier, and the launcher with the rights that the tier has. */
  async function inTier(tier: Tier, toy: ToyRun): Promise<{ readonly plan: LaunchPlan; readonly cellPath: string }> {
    const plan = await toyPlan(host, toy);
    runs += 1;
    const { memoryBytes = 64 * 1024 ** 2, processes = 32 } = toy.limits ?? {};
    const place = { A: undefined, B: undefined, C: join(host.folder, 'slots'), D: join(places, `run-${runs}`) }[tier];
    const path = tier === 'D' ? join(host.root, plan.arguments[0] ?? '') : (plan.arguments[0] ?? '');
    const own: Partial<LaunchPlan> = {
      tier,
      place,
      arguments: [path, ...plan.arguments.slice(1)],
      workingDirectory: tier === 'D' ? `${place}/tmp` : '/tmp',
      cgroups: undefined,
      watch: { memoryBytes, processes },
      resourceLimits: [
        ...plan.resourceLimits,
        { resource: 'processes', soft: processes + 1, hard: processes + 1 },
        { resource: 'data', soft: 2 * memoryBytes, hard: 2 * memoryBytes },
      ],
    };
    return { plan: { ...plan, ...own }, cellPath: tier === 'C' ? host.cellPath : asUser };
  }

  async function run(tier: Tier, request: ToyRun): Promise<CellOutcome & ReturnType<typeof verdictOf>> {
    const { plan, cellPath } = await inTier(tier, request);
    const outcome = await launchCell({ plan, cellPath, stdio: 'capture' }).outcome;
    expect(left()).toEqual([]);
    return { ...outcome, ...verdictOf(outcome, request.limits) };
  }

  /** Whatever is still there of a run: processes, files of its own. */
  function left(): readonly string[] {
    const slot = join(host.folder, 'slots', '0');
    return [
      ...guestPids(host).map((pid) => `process ${pid}`),
      ...readdirSync(places),
      ...readdirSync(join(slot, 'tmp')),
      ...readdirSync(join(slot, 'run')),
    ];
  }

  it.each(['B', 'C', 'D'] as const)('runs a program in tier %s, and says which layers it has', async (tier) => {
    const ended = await run(tier, { arguments: ['7'] });
    expect(ended).toMatchObject({ status: 'error', exit_code: 7, events: [] });
    const missing = { B: 'own-uid', C: 'pid-namespace', D: 'own-uid' }[tier];
    expect(ended.facts.missing).toContain(missing);
    expect(ended.facts.missing).toContain('cgroup-limits');
    expect(ended.facts.layers).toEqual(
      expect.arrayContaining(['seccomp', 'landlock', 'no-capabilities', 'private-tmp']),
    );
  });

  it.each(['B', 'C', 'D'] as const)('leaves no process behind in tier %s', async (tier) => {
    const ended = await run(tier, { program: 'daemonise' });
    expect(ended).toMatchObject({ status: 'ok', events: [{ kind: 'killed_descendants', count: 2 }] });
  });

  it.each(['B', 'C', 'D'] as const)('ends a fork bomb in tier %s', async (tier) => {
    const ended = await run(tier, { program: 'fork-bomb', limits: { wallMs: 500, cpuMs: 60_000, processes: 16 } });
    expect(ended.status).toBe('timeout');
    expect(ended.processes_peak).toBeLessThanOrEqual(20);
  });

  it.each(['B', 'C', 'D'] as const)('measures memory in tier %s', async (tier) => {
    const ended = await run(tier, { program: 'memory-hog', limits: { memoryBytes: 64 * 1024 ** 2 } });
    // Either the launcher was quicker, or the limit of the kernel that stops what outruns it.
    expect([ended.status, ended.exit_code]).toEqual(ended.status === 'oom' ? ['oom', null] : ['error', 3]);
    expect(ended.memory).toMatchObject({ enforced_by: 'watchdog' });
    expect(ended.memory.peak_bytes).toBeGreaterThan(16 * 1024 ** 2);
  });

  it.each(['B', 'C', 'D'] as const)('measures processor time in tier %s', async (tier) => {
    const ended = await run(tier, { program: 'spin', arguments: ['3'], limits: { cpuMs: 200 } });
    expect(ended.status).toBe('cpu_limit');
    expect(ended.time.cpu_ms).toBeGreaterThanOrEqual(200);
  });

  it('limits what a folder in the place of /tmp holds', async () => {
    const slow = join(host.folder, 'slots', '0', 'tmp');
    const ended = await run('C', { program: 'fill-tmp', limits: { tmpBytes: 2 ** 20, wallMs: 20_000 } });
    expect(ended.status).toBe('disk_limit');
    expect(readdirSync(slow)).toEqual([]);
  });

  it.each(['C', 'D'] as const)('removes whatever names, modes and depth a run leaves in tier %s', async (tier) => {
    const ended = await run(tier, { program: 'leave-mess', arguments: ['40'] });
    expect(ended.stdout.toString()).toBe('done\n');
    expect(ended).toMatchObject({ status: 'ok', events: [] });
  });

  it('removes folders that are nested a thousand deep', async () => {
    const { plan, cellPath } = await inTier('C', { program: 'leave-mess', arguments: ['1000'] });
    const limits = { ...plan.limits, tmpInodes: 100_000 };
    const outcome = await launchCell({ plan: { ...plan, limits }, cellPath, stdio: 'capture' }).outcome;
    expect(left()).toEqual([]);
    expect(outcome.facts.isCleanupProven).toBe(true);
  });

  it('has the files by which names are found in a slot as long as a run has the network', async () => {
    const etc = join(host.folder, 'slots', '0', 'etc');
    const { plan, cellPath } = await inTier('C', {
      program: 'open-paths',
      arguments: ['/etc/resolv.conf', '/etc/hosts'],
    });
    const network = { kind: 'host', resolver: 'nameserver 127.0.0.1\n', hosts: '127.0.0.1 localhost\n' } as const;
    const { stdout } = await launchCell({ plan: { ...plan, network }, cellPath, stdio: 'capture' }).outcome;
    expect(stdout.toString()).toBe('/etc/resolv.conf read 0 write EACCES\n/etc/hosts read 0 write EACCES\n');
    expect(readdirSync(etc)).toEqual(['canary']);
    // Of a run whose launcher was killed.
    writeFileSync(join(etc, 'resolv.conf'), 'old');
    await run('C', {});
    expect(readdirSync(etc)).toEqual(['canary']);
  });

  it('tells which slot is missing', async () => {
    const { plan, cellPath } = await inTier('C', {});
    const place = join(host.folder, 'no-slots');
    const { facts } = await launchCell({ plan: { ...plan, place }, cellPath, stdio: 'capture' }).outcome;
    expect(facts).toMatchObject({ failure: { step: 'place', errno: 2 }, uid: FIRST_UID });
  });

  it.each(['tmp', 'dev', 'run'])('refuses a slot whose /%s is a link', async (name) => {
    const place = join(host.folder, `linked-${name}`);
    mkdirSync(place);
    execFileSync('cp', ['-al', host.root, join(place, '0')]);
    execFileSync('rm', ['-r', join(place, '0', name)]);
    execFileSync('ln', ['-s', places, join(place, '0', name)]);
    const { plan, cellPath } = await inTier('C', {});
    const outcome = await launchCell({ plan: { ...plan, place }, cellPath, stdio: 'capture' }).outcome;
    expect(outcome.facts.failure?.step).toBe(`root-${name}`);
    expect(verdictOf(outcome).status).toBe('rejected');
    expect(readdirSync(places)).toEqual([]);
  });

  it.each(['B', 'C', 'D'] as const)('begins a run in a cell that waits in tier %s', async (tier) => {
    const toy = { program: 'wait-for-job', arguments: ['say:before', 'spin:100', 'ready', 'job'] };
    const { plan, cellPath } = await inTier(tier, toy);
    const folder = tier === 'D' ? `${plan.place}/program` : '/run/program';
    const cell = parkCell(plan, cellPath);
    expect(await cell.ready).toBe(true);
    const words = [...plan.arguments.slice(0, 1), 'descriptors', `list:${folder}`, `show:${folder}/job.py`, 'exit:7'];
    const program = { name: 'job.py', content: Buffer.from('of the job\n') };
    const job = { arguments: words, environment: {}, limits: { ...plan.limits, cpuMs: 90 }, program };
    const outcome = await cell.begin({ job, stdio: 'capture' }).outcome;
    expect(left()).toEqual([]);
    expect(outcome.stdout.toString()).toBe(`descriptors 0 1 2\n${folder}: job.py\nof the job\n`);
    expect(verdictOf(outcome)).toMatchObject({ status: 'error', exit_code: 7, events: [] });
    expect(outcome.facts.beforeMicros).toBeGreaterThanOrEqual(100_000);
  });

  it.each(['B', 'C', 'D'] as const)('leaves nothing of a cell that waited in tier %s', async (tier) => {
    const toy = { program: 'wait-for-job', arguments: ['fork', 'ready', 'job'] };
    const { plan, cellPath } = await inTier(tier, toy);
    const cell = parkCell(plan, cellPath);
    expect(await cell.ready).toBe(true);
    expect(guestPids(host).length).toBeGreaterThanOrEqual(2);
    const { facts } = await cell.discard();
    expect(left()).toEqual([]);
    expect(facts).toMatchObject({ cause: 'cancelled', layers: [], isCleanupProven: true });
  });

  it('gives the files of a killed run to nobody', async () => {
    const tmp = join(host.folder, 'slots', '0', 'tmp');
    writeFileSync(join(tmp, 'secret'), '');
    chownSync(join(tmp, 'secret'), FIRST_UID, FIRST_UID);
    await run('C', {});
    expect(existsSync(join(tmp, 'secret'))).toBe(false);
    expect(lstatSync(tmp).uid).toBe(FIRST_UID);
  });

  it.each(['B', 'C', 'D'] as const)('has nothing left in tier %s when its launcher is killed', async (tier) => {
    const { plan, cellPath } = await inTier(tier, { program: 'ignore-signals' });
    const file = join(host.folder, 'plan');
    writeFileSync(file, encodePlan(plan));
    const cell = spawn(cellPath, ['run'], { stdio: ['ignore', 'pipe', 'ignore', openSync(file, 'r'), 'pipe'] });
    await new Promise((resolve) => {
      cell.stdout?.once('data', resolve);
    });
    expect(guestPids(host).length).toBeGreaterThan(0);
    cell.kill('SIGKILL');
    await vi.waitUntil(() => guestPids(host).length === 0, { timeout: 10_000 });
    // A slot is cleaned by the next run in it.
    if (tier === 'C') await run('C', {});
    await vi.waitUntil(() => left().length === 0, { timeout: 10_000 });
  });

  it.each([
    ['C', 'ENOENT'],
    ['D', 'EACCES'],
  ] as const)('reads and writes nothing of the host in tier %s', async (tier, hidden) => {
    const outside = join(host.folder, 'outside');
    writeFileSync(outside, 'of the host\n');
    chmodSync(outside, 0o666);
    const own = tier === 'D' ? host.root : '';
    const paths = [outside, '/etc/passwd', '/proc/self/mem', '/', `${own}/etc/canary`, 'mine', '/dev/null'];
    const { stdout } = await run(tier, { program: 'open-paths', arguments: paths });
    expect(stdout.toString().trim().split('\n')).toEqual([
      `${outside} read ${hidden} write ${hidden}`,
      `/etc/passwd read ${hidden} write EACCES`,
      `/proc/self/mem read ${hidden} write ${hidden}`,
      `/ read ${tier === 'D' ? 'EACCES' : '0'} write EISDIR`,
      `${own}/etc/canary read 0 write EACCES`,
      'mine read ENOENT write 0',
      '/dev/null read 0 write 0',
    ]);
  });
});
