import { dockerSeccomp, type ContainerSeccomp } from './docker-seccomp.ts';

/** A container as a manager of containers asks a runtime for it. */
export interface ContainerSettings {
  readonly uid: number;
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly seccomp: ContainerSeccomp;
  readonly cgroups: 'ro' | 'rw';
  /** The first of 65,536 ids of this machine that the container's users are, in a user namespace of its own. */
  readonly firstId?: number;
}

const IDS = 65_536;

/** Docker's for every container. Source: docs.docker.com, "Runtime privilege and Linux capabilities". */
export const DOCKER_CAPABILITIES: readonly string[] = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** CRI-O's. Source: crio.conf(5), `default_capabilities`. */
export const CRIO_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
];

export function dockerLike(capabilities: readonly string[]): ContainerSettings {
  return {
    uid: 0,
    capabilities,
    noNewPrivileges: false,
    seccomp: dockerSeccomp(capabilities),
    cgroups: 'ro',
  };
}

export interface ContainerProcess {
  readonly id: string;
  /** The root filesystem, on the host. */
  readonly root: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Folders of the host that are writable under the same path. */
  readonly folders: readonly string[];
  /** Folders of the host that are there and cannot be changed. */
  readonly readOnlyFolders: readonly string[];
}

/** So that a mistake of ours ends in the container, and not with this machine. */
const MOST_MEMORY = 4 * 1024 ** 3;
const MOST_PROCESSES = 4096;

/** A runtime's `config.json`. Source: runtime-spec, config.md; what Docker puts in: moby, oci/defaults.go. */
export function containerConfig(settings: ContainerSettings, process: ContainerProcess): unknown {
  const { uid, capabilities } = settings;
  const held = uid === 0 ? capabilities : [];
  const namespaces = ['pid', 'mount', 'ipc', 'uts', 'network', ...(settings.firstId === undefined ? [] : ['user'])];
  return {
    ociVersion: '1.0.2',
    hostname: 'container',
    root: { path: process.root, readonly: false },
    process: {
      terminal: false,
      user: { uid, gid: uid },
      args: process.words,
      env: Object.entries(process.environment).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      capabilities: { bounding: capabilities, effective: held, permitted: held },
      noNewPrivileges: settings.noNewPrivileges,
    },
    mounts: [
      ...systemMounts(settings.cgroups),
      ...process.readOnlyFolders.map((folder) => bindMount(folder, 'ro')),
      ...process.folders.map((folder) => bindMount(folder, 'rw')),
    ],
    linux: {
      cgroupsPath: `/${process.id}`,
      resources: { memory: { limit: MOST_MEMORY }, pids: { limit: MOST_PROCESSES } },
      namespaces: namespaces.map((type) => ({ type })),
      ...(settings.firstId === undefined
        ? {}
        : { uidMappings: mapping(settings.firstId), gidMappings: mapping(settings.firstId) }),
      maskedPaths: MASKED,
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      seccomp: settings.seccomp,
    },
  };
}

function mapping(firstId: number): readonly unknown[] {
  return [{ containerID: 0, hostID: firstId, size: IDS }];
}

const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

function systemMounts(cgroups: 'ro' | 'rw'): readonly unknown[] {
  const safe = ['nosuid', 'noexec', 'nodev'];
  return [
    mount('/proc', 'proc', safe),
    mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/sys', 'sysfs', [...safe, 'ro']),
    mount('/sys/fs/cgroup', 'cgroup', [...safe, 'relatime', cgroups]),
    mount('/dev/mqueue', 'mqueue', safe),
    mount('/dev/shm', 'tmpfs', [...safe, 'mode=1777', 'size=67108864']),
    // Nothing of this machine's own.
    mount('/tmp', 'tmpfs', ['nosuid', 'nodev', 'mode=1777', 'size=1g']),
    mount('/var/tmp', 'tmpfs', ['nosuid', 'nodev', 'mode=1777', 'size=64m']),
    mount('/run', 'tmpfs', ['nosuid', 'nodev', 'mode=755', 'size=64m']),
  ];
}

function mount(destination: string, type: string, options: readonly string[]): unknown {
  return { destination, type, source: type, options };
}

function bindMount(folder: string, access: 'ro' | 'rw'): unknown {
  return { destination: folder, type: 'bind', source: folder, options: ['rbind', access] };
}
