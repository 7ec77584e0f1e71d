import { release } from 'node:os';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { probeCgroups } from '../run/cgroup-probe.ts';
import { planCgroups } from '../run/cgroup-plan.ts';
import { probeCell } from '../run/probe-cell.ts';
import { CELL_PATH } from '../cell-host.ts';
import { storeHome } from '../store/store-home.ts';
import type { CommandContext } from './command-context.ts';
import { diagnose, type Finding, type HostFacts } from './host-findings.ts';

/** Programs that stages call, and what for. */
const PROGRAMS = ['apt-get', 'gpgv', 'uv', 'pip3', 'pip', 'xz', 'flock', 'sync'] as const;

/** `rootcellar doctor`. Always ends with 0: a missing thing is a finding, not a failure. */
export async function doctorVerb(context: CommandContext): Promise<number> {
  const { environment, uid, reporter } = context;
  const found = await Promise.all(PROGRAMS.map(async (name) => ((await isOnPath(name, environment)) ? [name] : [])));
  const host = await probeCgroups();
  const facts: HostFacts = {
    kernel: release(),
    uid,
    cell: await probeCell(CELL_PATH),
    cgroups: [
      ...(host.versionOne.size > 0 ? ['v1' as const] : []),
      ...(host.versionTwo === undefined ? [] : ['v2' as const]),
    ],
    canLimit: planCgroups(host, 'doctor', { memoryBytes: 1, processes: 1 }) !== undefined,
    programs: new Set(found.flat()),
    store: storeHome({ environment, uid }),
  };
  const { tier, findings } = diagnose(facts);
  const text = [`tier: ${tier ?? 'none'}\n`, ...findings.map(findingText)].join('');
  reporter.result(text, {
    tier,
    findings: findings.map(({ subject, state, detail, hint }) => ({ subject, state, detail, hint })),
  });
  return 0;
}

async function isOnPath(name: string, environment: CommandContext['environment']): Promise<boolean> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter(Boolean);
  const found = await Promise.all(folders.map((folder) => isExecutable(join(folder, name))));
  return found.includes(true);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function findingText({ subject, state, detail, hint }: Finding): string {
  const line = `${state.padEnd(8)}${subject}: ${detail}\n`;
  return hint === undefined ? line : `${line}        do: ${hint}\n`;
}
