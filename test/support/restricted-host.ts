import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import type { Ended } from './command.ts';
import { CRIO_CAPABILITIES, containerConfig, DOCKER_CAPABILITIES, dockerLike } from './container-config.ts';
import type { ContainerSettings } from './container-config.ts';
import { dockerSeccomp } from './docker-seccomp.ts';
import { liftedContainer } from './lifted-container.ts';

/** An ordinary user, and what a pod runs as; nobody else on a machine has these. */
const ROOTLESS_UID = 1_800_100_000;
const POD_UID = 1_800_200_000;
/** Who the users of a pod with `hostUsers: false` are on this machine. */
const FIRST_POD_ID = 1_800_300_000;
/** Where the ordinary user's subordinate ids begin, where it has any. */
const FIRST_SUBUID = 1_800_110_000;
const SUBUIDS = 4096;

/** Containers, and what they may do. */
const CONTAINERS = {
  docker: dockerLike(DOCKER_CAPABILITIES),
  'docker-sysadmin': dockerLike([...DOCKER_CAPABILITIES, 'CAP_SYS_ADMIN']),
  crio: dockerLike(CRIO_CAPABILITIES),
  'docker-lifted': liftedContainer(),
  'pod-lifted': liftedContainer({ cgroups: 'ro', firstId: FIRST_POD_ID }),
  kubernetes: {
    uid: POD_UID,
    capabilities: [],
    noNewPrivileges: true,
    seccomp: dockerSeccomp([]),
    cgroups: 'ro',
  },
} as const satisfies Record<string, ContainerSettings>;

/** Hosts that let a cell be more or less: this machine's root, its users, and containers as they are usual. */
export type HostKind = 'root' | 'rootless' | 'rootless-subuids' | keyof typeof CONTAINERS;

/** A kind by name, or a container with settings of its own. */
export type HostChoice = HostKind | ContainerSettings;

export interface HostRequest {
  /** The program and its arguments. */
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Folders that the program may change; for another user than root they are to belong to it already. */
  readonly folders?: readonly string[];
}

/** A program that runs in a restricted host, with everything that it starts. */
export interface HostedProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly place: Place;
  /** Pids, on this machine, of the program and of all that came from it. */
  readonly processes: () => readonly number[];
}

/** The user as whom programs run there, as this machine counts. */
export function hostUid(host: HostChoice): number {
  if (typeof host !== 'string') return containerUid(host);
  if (host === 'root') return 0;
  if (host === 'rootless' || host === 'rootless-subuids') return ROOTLESS_UID;
  return containerUid(CONTAINERS[host]);
}

/** The system calls that a container's own filter refuses before a cell's filter is asked: always, or by their arguments. */
export interface OuterFilter {
  readonly always: (name: string) => boolean;
  readonly sometimes: (name: string) => boolean;
}

export function outerFilter(host: HostKind): OuterFilter {
  const filter = isContainer(host) ? CONTAINERS[host].seccomp : undefined;
  const rows = filter?.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW') ?? [];
  const named = new Set(rows.flatMap(({ names }) => names));
  const whole = new Set(rows.filter(({ args }) => args === undefined).flatMap(({ names }) => names));
  return {
    always: (name) => filter !== undefined && !named.has(name),
    sometimes: (name) => filter !== undefined && !whole.has(name),
  };
}

function containerUid({ uid, firstId }: ContainerSettings): number {
  return uid + (firstId ?? 0);
}

/** Why there is no such host on this machine; undefined when there is. With SANDBOX_MUST_WORK that is an error. */
export function hostFault(host: HostChoice): string | undefined {
  const fault = process.getuid?.() === 0 ? missingTool(host) : 'needs root';
  if (fault === undefined) return undefined;
  const message = `NO HOST \`${typeof host === 'string' ? host : 'container'}\`: ${fault}`;
  if (process.env['SANDBOX_MUST_WORK'] === '1') throw new Error(message);
  process.stdout.write(`${message}\n`);
  return fault;
}

function missingTool(host: HostChoice): string | undefined {
  const tools = ['unshare', 'mount', ...(typeof host !== 'string' || isContainer(host) ? ['runc'] : ['setpriv'])];
  if (host === 'rootless-subuids') tools.push('newuidmap');
  const missing = tools.filter((tool) => !isThere(tool));
  return missing.length === 0 ? undefined : `no ${missing.join(', ')}: scripts/setup --tests`;
}

function isThere(tool: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.some((folder) => statSync(join(folder, tool), { throwIfNoEntry: false }) !== undefined);
}

export function isContainer(host: HostKind): host is keyof typeof CONTAINERS {
  return host in CONTAINERS;
}

/** Runs a program to its end. Throws when it leaves a process behind. */
export async function inHost(host: HostChoice, request: HostRequest & { readonly input?: string }): Promise<Ended> {
  await using hosted = startInHost(host, request);
  const { child } = hosted;
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(request.input ?? '');
  const ended = new Promise<number>((resolve) => {
    child.once('close', (status) => resolve(status ?? -1));
  });
  const [stdout, stderr, status] = await Promise.all([textOf(child.stdout), textOf(child.stderr), ended]);
  const left = hosted.processes();
  if (left.length > 0) throw new Error(`left running: ${left.join(', ')}`);
  return { status, stdout, stderr };
}

function textOf(stream: ChildProcess['stdout']): Promise<string> {
  return stream === null ? Promise.resolve('') : text(stream);
}

/** Starts a program, with pipes for its stdio. */
export function startInHost(host: HostChoice, request: HostRequest): HostedProcess {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-host-'));
  // The root of a user namespace is nobody special here.
  chmodSync(folder, 0o755);
  const id = `rootcellar-host-${randomBytes(6).toString('hex')}`;
  const place = { folder, id };
  if (typeof host !== 'string') return startContainer(host, request, place);
  return isContainer(host) ? startContainer(CONTAINERS[host], request, place) : startUser(host, request, place);
}

interface Place {
  /** For what the host consists of; removed at the end. */
  readonly folder: string;
  /** A part of the names of the control groups of all its processes. */
  readonly id: string;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The container's files are this machine's, under an overlay: what is written goes to memory. Everything is mounted in a
 * mount namespace of the runtime's own, and so is gone with it.
 */
const MOUNT_AND_RUN = `
set -eu
folder=$1 id=$2
mount -t tmpfs -o mode=755 rootcellar-host "$folder/state"
mkdir "$folder/state/upper" "$folder/state/work" "$folder/state/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/state/upper,workdir=$folder/state/work" overlay "$folder/state/root"
exec runc --root "$folder/runc" run --bundle "$folder" "$id"
`;

const REPOSITORY = join(import.meta.dirname, '../..');

/** Whether the overlay shows it: nothing else is mounted there, here or in the container. */
function isOnRoot(folder: string): boolean {
  return statSync(folder).dev === statSync('/').dev && !/^\/(?:tmp|var\/tmp|run)\//.test(folder);
}

function startContainer(settings: ContainerSettings, request: HostRequest, { folder, id }: Place): HostedProcess {
  mkdirSync(join(folder, 'state'));
  const config = containerConfig(settings, {
    id,
    root: join(folder, 'state', 'root'),
    words: request.words,
    environment: { PATH, HOME: '/tmp', ...request.environment },
    folders: request.folders ?? [],
    readOnlyFolders: isOnRoot(REPOSITORY) ? [] : [REPOSITORY],
  });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', MOUNT_AND_RUN, 'sh', folder, id];
  const child = spawn('unshare', words, { stdio: 'pipe' });
  return {
    child,
    place: { folder, id },
    processes: () => processesOf(id),
    [Symbol.asyncDispose]: async () => {
      execFileSync('runc', ['--root', join(folder, 'runc'), 'delete', '--force', id], { stdio: 'ignore' });
      await end(child, id);
      rmSync(folder, { recursive: true });
    },
  };
}

/** With `passwd`, `group`, `subuid` and `subgid` that know the user, in a mount namespace of its own. */
const BE_USER = `
set -eu
folder=$1 group=$2 uid=$3
shift 3
echo 0 > "$group/cgroup.procs"
for file in passwd group subuid subgid; do
  [ ! -e "$folder/$file" ] || mount --bind "$folder/$file" "/etc/$file"
done
[ "$uid" = 0 ] && exec "$@"
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups -- "$@"
`;

function startUser(kind: HostKind, request: HostRequest, { folder, id }: Place): HostedProcess {
  const uid = hostUid(kind);
  const group = join(trackingHierarchy(), id);
  mkdirSync(group);
  if (kind !== 'root') writeAccounts(folder, kind === 'rootless-subuids');
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', BE_USER, 'sh', folder, group, `${uid}`];
  const child = spawn('unshare', [...words, ...request.words], {
    stdio: 'pipe',
    cwd: '/',
    env: { PATH, HOME: '/tmp', ...request.environment },
  });
  return {
    child,
    place: { folder, id },
    processes: () => processesOf(id),
    [Symbol.asyncDispose]: async () => {
      await end(child, id);
      rmdirSync(group);
      rmSync(folder, { recursive: true });
    },
  };
}

function writeAccounts(folder: string, hasSubuids: boolean): void {
  const range = hasSubuids ? `cellar:${FIRST_SUBUID}:${SUBUIDS}\n` : '';
  const files = {
    passwd: `root:x:0:0:root:/root:/bin/sh\ncellar:x:${ROOTLESS_UID}:${ROOTLESS_UID}::/tmp:/bin/sh\n`,
    group: `root:x:0:\ncellar:x:${ROOTLESS_UID}:\n`,
    subuid: range,
    subgid: range,
  };
  for (const [name, content] of Object.entries(files)) {
    if (statSync(`/etc/${name}`, { throwIfNoEntry: false }) !== undefined) writeFileSync(join(folder, name), content);
  }
}

/** A hierarchy in which no cell makes groups: whatever a program starts, however it ends, stays in the group it was put in. */
function trackingHierarchy(): string {
  const found = ['freezer', 'systemd', 'unified', '.']
    .map((name) => join('/sys/fs/cgroup', name))
    .find((directory) => statSync(join(directory, 'cgroup.procs'), { throwIfNoEntry: false }) !== undefined);
  if (found === undefined) throw new Error('no control groups to follow processes by');
  return found;
}

function processesOf(id: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readIfThere(`/proc/${name}/cgroup`).includes(`/${id}`))
    .map(Number);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const ATTEMPTS = 200;
const PAUSE_MS = 20;

/** Kills whatever is left of it, and waits until the kernel has taken it apart. */
async function end(child: ChildProcess, id: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const left = processesOf(id);
    if (left.length === 0 && (child.exitCode !== null || child.signalCode !== null)) return;
    for (const pid of left) kill(pid);
    await setTimeout(PAUSE_MS);
  }
  throw new Error(`processes of ${id} do not end: ${processesOf(id).join(', ')}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself in the meantime.
  }
}
