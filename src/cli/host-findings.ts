import type { Tier } from '../recipe/recipe.ts';
import { bestTier, lackingFor } from '../run/host-tier.ts';
import type { CellProbe } from '../run/probe-cell.ts';

/** What was found out about this machine. */
export interface HostFacts {
  readonly kernel: string;
  readonly uid: number;
  /** Undefined when the launcher cannot be run. */
  readonly cell: CellProbe | undefined;
  /** Which versions have a hierarchy here. */
  readonly cgroups: readonly ('v1' | 'v2')[];
  /** Whether they can limit memory and processes of a cell. */
  readonly canLimit: boolean;
  /** Names of those programs that are on the path. */
  readonly programs: ReadonlySet<string>;
  readonly store: string;
}

export interface Finding {
  readonly subject: string;
  readonly state: 'ok' | 'missing' | 'note';
  readonly detail: string;
  /** What to type, where something is missing. */
  readonly hint?: string | undefined;
}

export interface Diagnosis {
  /** What cells can be here; undefined: none can be made. */
  readonly tier: Tier | undefined;
  readonly findings: readonly Finding[];
}

/** Those settings are in the package and in the README. */
const CONTAINER_HINT =
  'run as root outside of a container, or with the settings of images/compose.yaml or images/pod.yaml';

/** What a cell of tier A needs, and who may be in the way. Source: the man pages that are named. */
const NEEDED: readonly (readonly [name: string, what: string, hint: string])[] = [
  ['mount-namespace', 'a mount namespace (mount_namespaces(7))', CONTAINER_HINT],
  ['pid-namespace', 'a process namespace (pid_namespaces(7))', CONTAINER_HINT],
  ['network-namespace', 'a network namespace (network_namespaces(7))', CONTAINER_HINT],
  ['other-namespaces', 'IPC, UTS and cgroup namespaces (namespaces(7))', CONTAINER_HINT],
  [
    'mount',
    'mounting (fsopen(2), mount_setattr(2))',
    'use a kernel of 5.12 or newer, and a container that allows mounting',
  ],
  ['openat2', 'opening beneath a folder (openat2(2))', 'use a kernel of 5.6 or newer'],
  ['own-uid', 'uids of its own for each run (setresuid(2))', 'run as root, with CAP_SETUID and CAP_SETGID'],
  [
    'seccomp-listener',
    'naming denied system calls (seccomp_unotify(2))',
    'use a kernel of 5.0 or newer with CONFIG_SECCOMP_FILTER',
  ],
];

export function diagnose(facts: HostFacts): Diagnosis {
  const tier = facts.cell === undefined || !canLimitSomehow(facts) ? undefined : bestTier(facts.cell);
  return {
    tier,
    findings: [
      ...runFindings(facts),
      ...buildFindings(facts),
      { subject: 'store', state: 'note', detail: facts.store },
    ],
  };
}

/** By control groups, or by what the launcher measures itself. */
function canLimitSomehow({ canLimit, cell }: HostFacts): boolean {
  return canLimit || cell?.get('children') === 'yes';
}

function runFindings(facts: HostFacts): readonly Finding[] {
  const { cell, kernel, uid } = facts;
  const system: Finding[] = [
    { subject: 'kernel', state: 'note', detail: kernel },
    uid === 0
      ? ok('root', 'cells of tier A need it')
      : note('root', 'cells of tier A need it', 'sudo rootcellar run …'),
  ];
  if (cell === undefined) return [...system, missing('launcher', '`cell` cannot be run', 'make -C native')];
  const layers = NEEDED.map(([name, what, hint]) =>
    cell.get(name) === 'yes' ? ok(name, what) : missing(name, what, hint),
  );
  return [...system, ...layers, ...otherTiers(cell), cgroupFinding(facts), landlockFinding(cell)];
}

/** What takes the place of namespaces, where the better tiers cannot be had. */
function otherTiers(cell: CellProbe): readonly Finding[] {
  if (bestTier(cell) === 'A') return [];
  const rows = (['B', 'C', 'D'] as const).map((tier) => {
    const lacking = lackingFor(tier, cell).join(', ');
    return lacking === ''
      ? ok(`tier ${tier}`, TIER_TEXTS[tier])
      : note(`tier ${tier}`, `${TIER_TEXTS[tier]}; lacks ${lacking}`, TIER_HINTS[tier]);
  });
  return rows;
}

const TIER_TEXTS = {
  B: 'namespaces and mounts inside a user namespace',
  C: 'chroot, a user of its own and Landlock; no namespaces',
  D: 'Landlock alone; no other user, no namespaces',
} as const;

const TIER_HINTS = {
  B: 'sysctl user.max_user_namespaces=10000, and where AppArmor forbids it, a profile with `userns`',
  C: 'run the container as root with SETUID, SETGID and SYS_CHROOT',
  D: 'boot a kernel of 5.13 or newer with lsm=landlock,…',
} as const;

function cgroupFinding({ cgroups, canLimit, cell }: HostFacts): Finding {
  const detail = cgroups.length === 0 ? 'none that we may write' : cgroups.join(' and ');
  if (canLimit) return ok('cgroups', `${detail}: memory, processes and processor time can be limited`);
  const hint = 'systemd-run --scope -p Delegate=yes rootcellar run …';
  if (cell?.get('children') !== 'yes') return missing('cgroups', `${detail}; nothing can limit memory or time`, hint);
  return note('cgroups', `${detail}; the launcher measures memory and time every 10 ms instead`, hint);
}

function landlockFinding(cell: CellProbe): Finding {
  const version = cell.get('landlock') ?? 'no';
  if (/^[1-9]/.test(version)) return ok('landlock', `ABI ${version}`);
  return {
    subject: 'landlock',
    state: 'note',
    detail: 'not in this kernel; cells do without this layer',
    hint: 'boot with lsm=landlock,…',
  };
}

function buildFindings({ programs }: HostFacts): readonly Finding[] {
  const one = (name: string, what: string, hint: string): Finding => {
    return programs.has(name) ? ok(name, what) : missing(name, what, hint);
  };
  const hasPip = programs.has('pip3') || programs.has('pip');
  return [
    one('apt-get', 'resolves Debian packages', 'use a Debian or Ubuntu machine to lock recipes'),
    one('gpgv', 'checks signatures of archives', 'apt-get install gpgv'),
    programs.has('uv')
      ? ok('uv', 'resolves Python requirements')
      : {
          subject: 'uv',
          state: 'note',
          detail: 'not found; the image’s own pip resolves Python requirements',
          hint: 'pip install uv',
        },
    hasPip ? ok('pip', 'its settings are used') : { subject: 'pip', state: 'note', detail: 'not found; not needed' },
    programs.has('xz')
      ? ok('xz', 'unpacks Debian packages')
      : { subject: 'xz', state: 'note', detail: 'not found; a slower way is taken', hint: 'apt-get install xz-utils' },
    one('flock', 'locks the store', 'apt-get install util-linux'),
    one('sync', 'makes images durable', 'apt-get install coreutils'),
  ];
}

function ok(subject: string, detail: string): Finding {
  return { subject, state: 'ok', detail };
}

function note(subject: string, detail: string, hint: string): Finding {
  return { subject, state: 'note', detail, hint };
}

function missing(subject: string, detail: string, hint: string): Finding {
  return { subject, state: 'missing', detail, hint };
}
