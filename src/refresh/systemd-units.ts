import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { RefreshSchedule } from '../recipe/recipe.ts';
import { onCalendar } from './on-calendar.ts';

/** What the units of one recipe depend on. All paths are absolute. */
export interface UnitFacts {
  /** Of the image. */
  readonly name: string;
  /** What refreshes it: a program and its words. */
  readonly command: readonly string[];
  /** The recipe's own folder, where its lockfile is. */
  readonly recipeFolder: string;
  readonly storeHome: string;
  /** Folders below which something lies that the service reads. */
  readonly installation: readonly string[];
  readonly schedule: RefreshSchedule;
  /** `user`: for `systemctl --user`. */
  readonly manager: 'system' | 'user';
}

export interface Unit {
  /** Of its file. */
  readonly file: string;
  readonly text: string;
}

/** By this line a unit is known as one that may be overwritten and removed. */
export const UNIT_MARK =
  '# Written by `rootcellar schedule install`; changes are lost. Yours belong into `systemctl edit`.';

/** A service that refreshes once, and the timer that starts it. Throws E_USAGE for a path that units cannot say. */
export function systemdUnits(facts: UnitFacts): readonly Unit[] {
  for (const path of [facts.storeHome, facts.recipeFolder, ...facts.command]) refuseControls(path);
  const stem = unitStem(facts.name);
  return [
    { file: `${stem}.service`, text: unitText(serviceSections(facts)) },
    { file: `${stem}.timer`, text: unitText(timerSections(facts)) },
  ];
}

export function unitStem(name: string): string {
  return `rootcellar-refresh-${name}`;
}

/** A carriage return ends a line, too, and not every setting knows escapes: lists of paths do not. Source: systemd.syntax(7). */
function refuseControls(path: string): void {
  if (!/\p{Cc}/u.test(path)) return;
  throw new RootcellarError(
    'E_USAGE',
    `${quotedWord(path)}: has a control character, which no unit can have in a path`,
    {
      hint: 'give that folder another name: mv OLD NEW',
    },
  );
}

type Section = readonly [name: string, lines: readonly string[]];

function unitText(sections: readonly Section[]): string {
  const texts = sections.map(([name, lines]) => `[${name}]\n${lines.map((line) => `${line}\n`).join('')}`);
  return `${UNIT_MARK}\n\n${texts.join('\n')}`;
}

function serviceSections(facts: UnitFacts): readonly Section[] {
  const { name, command, storeHome, manager } = facts;
  const isSystem = manager === 'system';
  const [program = '', ...words] = command;
  return [
    [
      'Unit',
      [
        `Description=Refresh of the image ${specified(name)}`,
        ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
      ],
    ],
    [
      'Service',
      [
        'Type=oneshot',
        `ExecStart=${executableWord(program)} ${words.map(commandWord).join(' ')}`,
        `Environment=${word(`ROOTCELLAR_HOME=${storeHome}`)}`,
        '# Credentials of package indexes, proxies: NAME=value',
        `EnvironmentFile=-${isSystem ? '/etc/rootcellar/refresh.env' : '%E/rootcellar/refresh.env'}`,
        '# A refresh that hangs is begun anew by the next one.',
        'TimeoutStartSec=6h',
        'Nice=10',
        'IOSchedulingClass=idle',
        '# Cells have control groups of their own.',
        'Delegate=yes',
        ...(isSystem ? systemHardening(facts) : USER_HARDENING),
      ],
    ],
  ];
}

/**
 * What a service of an ordinary user can have: newuidmap, which makes that user's cells, must gain privileges; and in the user
 * namespace that the rest would need, no cell could have one of its own.
 */
const USER_HARDENING: readonly string[] = ['UMask=0022'];

/** What cells are made with, and builds: see images/pod.yaml; beyond that, owners of files in a rootfs, and device nodes. */
const CAPABILITIES = [
  'SYS_ADMIN',
  'SETUID',
  'SETGID',
  'SETPCAP',
  'KILL',
  'NET_ADMIN',
  'DAC_OVERRIDE',
  'CHOWN',
  'FOWNER',
  'MKNOD',
];

function systemHardening({ storeHome, recipeFolder, installation }: UnitFacts): readonly string[] {
  const paths = [storeHome, recipeFolder, ...installation];
  const isInTmp = paths.some((path) => isBelow(path, TMP));
  return [
    '# Beyond this only what makes cells is left: see `systemd-analyze security`.',
    'NoNewPrivileges=yes',
    `CapabilityBoundingSet=${CAPABILITIES.map((name) => `CAP_${name}`).join(' ')}`,
    'ProtectSystem=strict',
    `ProtectHome=${paths.some((path) => isBelow(path, HOMES)) ? 'read-only' : 'yes'}`,
    `ReadWritePaths=${[storeHome, recipeFolder, ...(isInTmp ? TMP : [])].map(word).join(' ')}`,
    '# Where cells are laid out; a service that runs programs has the same.',
    'RuntimeDirectory=rootcellar',
    'RuntimeDirectoryMode=0700',
    'RuntimeDirectoryPreserve=yes',
    `PrivateTmp=${isInTmp ? 'no' : 'yes'}`,
    'DevicePolicy=closed',
    'ProtectKernelModules=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    'SystemCallArchitectures=native',
    'SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap',
    'SystemCallErrorNumber=EPERM',
    'KeyringMode=private',
  ];
}

/** Folders that `ProtectHome=` and `PrivateTmp=` hide. Source: systemd.exec(5). */
const HOMES = ['/home', '/root', '/run/user'];
const TMP = ['/tmp', '/var/tmp'];

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** After a start of the machine, so that what else starts has its turn. */
const AFTER_START = '5min';

function timerSections({ name, schedule, manager }: UnitFacts): readonly Section[] {
  const start = manager === 'system' ? 'OnBootSec' : 'OnStartupSec';
  const times =
    schedule.kind === 'every'
      ? [`${start}=${AFTER_START}`, `OnUnitActiveSec=${seconds(schedule.everyMs)}`]
      : [
          ...onCalendar(schedule.expression).map((event) => `OnCalendar=${event}`),
          '# What was missed while the machine was off is made up for once.',
          'Persistent=yes',
        ];
  return [
    ['Unit', [`Description=Schedule of refreshes of the image ${specified(name)}`]],
    ['Timer', [...times, `RandomizedDelaySec=${seconds(schedule.jitterMs)}`, 'AccuracySec=1s']],
    ['Install', ['WantedBy=timers.target']],
  ];
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)}s`;
}

/** Without what a specifier would be. */
function specified(text: string): string {
  return text.replaceAll('%', '%%');
}

/** One word of a list, whatever is in it. Source: systemd.syntax(7), "Quoting". */
function word(text: string): string {
  const escaped = specified(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return /^[\w./:=@%+,-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** One word after the program of a command line, where `$` begins a variable. */
function commandWord(text: string): string {
  return word(text).replaceAll('$', '$$$$');
}

/** The program itself, of which no variable is replaced. */
function executableWord(text: string): string {
  return word(text);
}
