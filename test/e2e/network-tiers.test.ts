import { chmod, chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/run/run-report.ts';
import { COMMAND, pythonImage, rootcellar, sharedHome, workplace } from '../support/command.ts';
import { hostFault, hostUid, inHost, type HostKind } from '../support/restricted-host.ts';

const PROGRAM = join(import.meta.dirname, '../support/programs/serve-and-run.mjs');

/** The report of a program with that network, on a host of that kind, which has two servers on loopback. */
async function runWith(kind: HostKind, mode: 'proxy' | 'host' | 'none'): Promise<RunReport> {
  await using work = await workplace();
  await chmod(work.folder, 0o755);
  const shared = work.path('shared');
  await mkdir(shared);
  const tar = join(shared, 'python.tar');
  const built = await rootcellar(['build', join(dirname(sharedHome()), 'python'), '-o', tar]);
  if (built.status !== 0) throw new Error(built.stderr);
  for (const path of [shared, tar]) await chown(path, hostUid(kind), hostUid(kind));
  const { stdout, stderr } = await inHost(kind, {
    words: [process.execPath, PROGRAM, COMMAND, tar, mode],
    environment: { ROOTCELLAR_HOME: join(shared, 'store') },
    folders: [shared],
  });
  if (!stdout.startsWith('{')) throw new Error(`${stdout}${stderr}`);
  const report: RunReport = JSON.parse(stdout);
  return report;
}

describe.each([
  ['B', 'rootless'],
  ['C', 'docker'],
  ['D', 'kubernetes'],
] as const)('the network of a cell of tier %s', (tier, kind) => {
  const isMissing = hostFault(kind) !== undefined;
  beforeAll(async () => void (await pythonImage()));

  it.skipIf(isMissing)('is the allowed host by the proxy, and nothing past it', async () => {
    const { stdout, status, events, isolation } = await runWith(kind, 'proxy');
    expect([status, isolation.tier]).toEqual(['ok', tier]);
    const [allowed, other] = (stdout ?? '').split('\n');
    expect(allowed).toBe('reached');
    expect(other).toMatch(/^(?:URLError|PermissionError) /);
    // Without a network of its own, only the port keeps it.
    expect(events.some(({ kind: event }) => event === 'weak')).toBe(tier !== 'B');
    expect(events).toContainEqual(expect.objectContaining({ kind: 'network_contacted', host: '127.0.0.1' }));
  });

  it.skipIf(isMissing)('is the host’s when that is wanted, names included', async () => {
    const { stdout, isolation } = await runWith(kind, 'host');
    expect(stdout?.split('\n')).toEqual([
      'reached',
      'must not be reached',
      expect.stringMatching(/^(?:127\.0\.0\.1|::1)$/),
      '',
    ]);
    expect(isolation.layers).not.toContain('network-namespace');
  });

  it.skipIf(isMissing)('is none when nothing is said', async () => {
    const { stdout, denied } = await runWith(kind, 'none');
    expect(stdout).not.toContain('reached');
    expect(denied.map(({ syscall }) => syscall)).toContain('socket');
  });
});
