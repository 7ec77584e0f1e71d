import { chmod, chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/run/run-report.ts';
import { COMMAND, pythonImage, rootcellar, sharedHome, workplace } from '../support/command.ts';
import { hostFault, hostUid, inHost, type HostKind } from '../support/restricted-host.ts';

const PROGRAM = join(import.meta.dirname, '../support/programs/run-warm.mjs');

/** The reports of three runs by a pool of two cells, on a host of that kind. Throws when it leaves a process there. */
async function runWarm(kind: HostKind): Promise<readonly RunReport[]> {
  await using work = await workplace();
  await chmod(work.folder, 0o755);
  const shared = work.path('shared');
  await mkdir(shared);
  const tar = join(shared, 'python.tar');
  const built = await rootcellar(['build', join(dirname(sharedHome()), 'python'), '-o', tar]);
  if (built.status !== 0) throw new Error(built.stderr);
  for (const path of [shared, tar]) await chown(path, hostUid(kind), hostUid(kind));
  const { stdout, stderr } = await inHost(kind, {
    words: [process.execPath, PROGRAM, join(dirname(COMMAND), '..'), tar],
    environment: { ROOTCELLAR_HOME: join(shared, 'store') },
    folders: [shared],
  });
  if (!stdout.startsWith('[')) throw new Error(`${stdout}${stderr}`);
  const reports: readonly RunReport[] = JSON.parse(stdout);
  return reports;
}

describe.each([
  ['B', 'rootless', 'warm'],
  ['C', 'docker', 'warm'],
  // Only Landlock stands between cells of one user: nothing waits there.
  ['D', 'kubernetes', 'cold'],
] as const)('a warm pool in tier %s', (tier, kind, start) => {
  beforeAll(async () => void (await pythonImage()));

  it.skipIf(hostFault(kind) !== undefined)('runs programs as it does in tier A, and leaves nothing', async () => {
    const reports = await runWarm(kind);
    expect(reports.map(({ time, isolation }) => `${time.start} ${isolation.tier}`)).toEqual(
      Array(3).fill(`${start} ${tier}`),
    );
    for (const { status, stdout, stderr } of reports) {
      expect({ status, stdout, stderr }).toEqual({ status: 'ok', stdout: "[] ['main.py']\n", stderr: '' });
    }
  });
});
