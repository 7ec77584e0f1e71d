import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CELL_CALLS } from '../../scripts/generate-container-seccomp.mjs';
import { COMMAND, pythonImage, sharedHome } from '../support/command.ts';
import type { ContainerSettings } from '../support/container-config.ts';
import { composeService, IMAGES, liftedContainer, shippedSeccomp } from '../support/lifted-container.ts';
import { hostFault, inHost } from '../support/restricted-host.ts';
import { skipWithout } from '../support/skip-without.ts';

interface Told {
  readonly tier: string | undefined;
  readonly status: string;
  readonly missing: readonly string[];
  readonly step: string | undefined;
}

/** What a run in a container with these settings tells of itself. */
async function runIn(settings: ContainerSettings): Promise<Told> {
  const { stdout, stderr } = await inHost(settings, {
    words: [process.execPath, COMMAND, 'run', 'python', '--json', '-c', 'print(6 * 7)'],
    environment: { ROOTCELLAR_HOME: sharedHome() },
    folders: [sharedHome()],
  });
  if (!stdout.startsWith('{') || !stdout.includes('"isolation"'))
    return { tier: undefined, status: stderr, missing: [], step: undefined };
  const report = JSON.parse(stdout);
  return {
    tier: report.status === 'ok' ? report.isolation.tier : undefined,
    status: report.status,
    missing: report.isolation.missing,
    step: report.error?.step,
  };
}

/** Without these nothing gets weaker in a plain run; the reasons stand in images/compose.yaml. */
const FOR_SOME_RUNS: ReadonlySet<string> = new Set(['KILL', 'NET_ADMIN', 'DAC_OVERRIDE']);

describe.skipIf(hostFault('docker-lifted') !== undefined)('a container with the settings that we ship', () => {
  beforeAll(async () => {
    await pythonImage();
  });

  it('gives cells of tier A with nothing missing', async () => {
    expect(await runIn(liftedContainer())).toEqual({ tier: 'A', status: 'ok', missing: [], step: undefined });
  });

  it.each(composeService().cap_add.filter((name) => !FOR_SOME_RUNS.has(name)))(
    'needs the capability %s for that',
    async (name) => {
      const capabilities = liftedContainer().capabilities.filter((one) => one !== `CAP_${name}`);
      expect(await runIn(liftedContainer({ capabilities }))).not.toMatchObject({ tier: 'A', missing: [] });
    },
  );

  it.each(CELL_CALLS.split(' ').filter((name) => name !== 'clone'))(
    'needs the system call %s for that',
    async (name) => {
      const seccomp = shippedSeccomp();
      const syscalls = seccomp.syscalls.map((row) => ({ ...row, names: row.names.filter((one) => one !== name) }));
      const told = await runIn(liftedContainer({ seccomp: { ...seccomp, syscalls } }));
      expect(told).not.toMatchObject({ tier: 'A', missing: [] });
    },
  );
});

describe.skipIf(hostFault('root') !== undefined)('images/delegate-cgroups', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-delegate-'));
  const hierarchy = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find(
    (point) =>
      readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${point} rw`) &&
      readFileSync('/proc/self/mountinfo', 'utf8').includes(`- cgroup2`),
  );
  afterAll(() => rmSync(folder, { recursive: true }));

  it.skipIf(skipWithout('cgroup2 to write to', hierarchy !== undefined))(
    'moves processes out of the container’s group and hands controllers on',
    () => {
      const group = join(hierarchy ?? '', `rootcellar-delegate-${process.pid}`);
      const script = `
      mkdir ${group}; echo $$ > ${group}/cgroup.procs
      exec unshare --cgroup --mount --propagation private sh -ec '
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        exec ${join(IMAGES, 'delegate-cgroups')} sh -c "
          cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs; cat /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/cgroup.subtree_control
        "'`;
      const text = execFileSync('sh', ['-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      rmdirSync(join(group, 'service'));
      rmdirSync(group);
      expect(text).toMatch(/^0::\/service$/m);
    },
  );

  it('becomes the command where there is nothing to do', async () => {
    const ended = await inHost('docker', {
      words: [join(IMAGES, 'delegate-cgroups'), 'sh', '-c', 'echo "$1"', 'sh', 'a  b'],
    });
    expect(ended).toEqual({ status: 0, stdout: 'a  b\n', stderr: '' });
  });
});
