import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hostUid, outerFilter, startInHost, type HostedProcess, type HostKind } from '../support/restricted-host.ts';
import { sweepPatiently, type Machine } from './machine.ts';
import type { AttackRequest, Observed } from './start-attack.mjs';
import { rootfsDigest, sharedMemory } from './sweep.ts';

const AGENT = join(import.meta.dirname, 'agent.mjs');
const CANARY = 'nothing that a guest may read\n';
const MEMORY_SLACK = 256 * 1024 ** 2;
/** Of the host, where somebody could leave something. */
const FOLDERS = ['tmp', 'run', 'run/rootcellar', 'var/tmp', 'dev/shm', 'dev/mqueue', 'var/lib'];

interface Answer {
  readonly id: number;
  readonly port?: number;
  readonly visits?: number;
  readonly observed?: Observed;
  readonly fault?: string;
}

/** A restricted host with an agent in it, which runs programs with the library as it was built. */
export async function tierHost(kind: HostKind, home: string): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-tier-'));
  chmodSync(folder, 0o755);
  const canary = join(folder, 'canary');
  writeFileSync(canary, CANARY, { mode: 0o644 });
  const store = storeFor(kind, home, folder);
  const socket = `rootcellar-attack-${randomBytes(4).toString('hex')}`;
  const hosted = startInHost(kind, {
    words: [process.execPath, AGENT, store, socket],
    folders: [folder, ...(store === home ? [home] : [])],
  });
  const agent = speak(hosted);
  const { port } = await agent.ready;
  let next = 0;
  const ask = (order: object): { readonly id: number; readonly answer: Promise<Answer> } => {
    next += 1;
    return { id: next, answer: agent.ask({ id: next, ...order }) };
  };
  const look = async (): Promise<State> => {
    const { visits = -1 } = await ask({ state: true }).answer;
    return { ...stateOf({ kind, hosted, store }), visits, canary: readFileSync(canary, 'utf8') };
  };
  let before: State | undefined;
  return {
    canaries: new Map([
      ['{canary}', canary],
      ['{port}', `${port}`],
      ['{socket}', socket],
    ]),
    outer: outerFilter(kind),
    start: (request: AttackRequest) => {
      const { id, answer } = ask({ request });
      return { ended: answer.then(observedOf), cancel: () => agent.tell({ id, cancel: true }) };
    },
    settle: async () => {
      before = await settled(look);
    },
    sweep: () => sweepPatiently(async () => differences(before, await look())),
    [Symbol.asyncDispose]: async () => {
      await hosted[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

const QUIET_MS = 500;

/** The state when no process has come or gone for a while: a first run may make its slot, and begin again. */
async function settled(look: () => Promise<State>): Promise<State> {
  let before = await look();
  for (;;) {
    await setTimeout(QUIET_MS);
    const now = await look();
    if (now.processes.join() === before.processes.join()) return now;
    before = now;
  }
}

/** Who is not root needs a store of its own. */
function storeFor(kind: HostKind, home: string, folder: string): string {
  const uid = hostUid(kind);
  if (uid === 0) return home;
  const store = join(folder, 'store');
  execFileSync('cp', ['-a', '--reflink=auto', home, store]);
  execFileSync('chown', ['-R', `${uid}:${uid}`, store]);
  return store;
}

function observedOf({ observed, fault }: Answer): Observed {
  if (observed !== undefined) return observed;
  throw new Error(`the agent failed:\n${fault}`);
}

interface Speech {
  readonly ready: Promise<Answer>;
  readonly ask: (order: { readonly id: number }) => Promise<Answer>;
  readonly tell: (order: object) => void;
}

function speak({ child }: HostedProcess): Speech {
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  let errors = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    errors += bytes.toString();
  });
  child.once('close', (status) => {
    for (const { reject } of waiting.values()) reject(new Error(`the agent ended with ${status}:\n${errors}`));
  });
  const answered = (id: number): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
  const ready = answered(0);
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const answer: Answer = JSON.parse(line);
      waiting.get(answer.id)?.resolve(answer);
      waiting.delete(answer.id);
    });
  }
  const tell = (order: object): void => void child.stdin?.write(`${JSON.stringify(order)}\n`);
  return {
    ready,
    tell,
    ask: (order) => {
      const answer = answered(order.id);
      tell(order);
      return answer;
    },
  };
}

interface State {
  readonly processes: readonly number[];
  readonly mounts: readonly string[];
  readonly groups: readonly string[];
  readonly files: readonly string[];
  readonly descriptors: number;
  readonly memory: number;
  readonly sharedMemory: number;
  readonly rootfs: string;
  readonly visits: number;
  readonly canary: string;
}

interface Looked {
  readonly kind: HostKind;
  readonly hosted: HostedProcess;
  readonly store: string;
}

/** Seen from this machine, which no guest and no agent can deceive. */
function stateOf({ kind, hosted, store }: Looked): Omit<State, 'visits' | 'canary'> {
  const processes = hosted.processes();
  const agent = processes.find((pid) => readIfThere(`/proc/${pid}/cmdline`).split('\0')[1] === AGENT);
  if (agent === undefined) throw new Error('the agent has gone');
  const proc = `/proc/${agent}`;
  return {
    processes,
    mounts: readFileSync(`${proc}/mountinfo`, 'utf8').split('\n'),
    groups: groupsOf(readFileSync(`${proc}/cgroup`, 'utf8')),
    files: FOLDERS.flatMap((name) => filesIn(join(proc, 'root', name), kind)),
    descriptors: readdirSync(`${proc}/fd`).length,
    memory: Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    sharedMemory: sharedMemory(),
    rootfs: rootfsOf(store),
  };
}

/** Below those of the agent. */
function groupsOf(cgroup: string): readonly string[] {
  return cgroup.split('\n').flatMap((line) => {
    const [, names, path] = line.split(':');
    const directory = join('/sys/fs/cgroup', names === '' ? 'unified' : (names ?? '').replace('name=', ''), path ?? '');
    if (path === undefined || path === '/' || !exists(directory)) return [];
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  });
}

/** A container's folders are its own; an ordinary user shares this machine's, where only its own files count. */
function filesIn(folder: string, kind: HostKind): readonly string[] {
  if (!exists(folder)) return [];
  const isUser = kind.startsWith('rootless');
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((file) => !isUser || (lstatSync(file, { throwIfNoEntry: false })?.uid ?? 0) >= hostUid(kind))
    .map((file) => file.replace(/^\/proc\/\d+\/root/, ''));
}

/** Over those that the store has laid out for cells. */
function rootfsOf(store: string): string {
  const folder = join(store, 'rootfs');
  return readdirSync(folder)
    .map((name) => `${name} ${rootfsDigest(join(folder, name), 'any links')}`)
    .join('\n');
}

function differences(before: State | undefined, now: State): readonly string[] {
  if (before === undefined) throw new Error('nothing to compare with');
  const more = (key: 'processes' | 'mounts' | 'groups' | 'files'): readonly string[] => {
    const known = new Set<string | number>(before[key]);
    return now[key].filter((one) => !known.has(one)).map((one) => `${key}: ${one}${described(key, one)}`);
  };
  return [
    ...more('processes'),
    ...more('mounts'),
    ...more('groups'),
    ...more('files'),
    ...(now.descriptors > before.descriptors ? [`${now.descriptors - before.descriptors} descriptors`] : []),
    ...(now.memory > before.memory + 2 * MEMORY_SLACK ? ['memory of the supervisor'] : []),
    ...(now.sharedMemory > before.sharedMemory + MEMORY_SLACK ? ['shared memory'] : []),
    ...(now.rootfs === before.rootfs ? [] : ['a change of the root filesystem']),
    ...(now.canary === CANARY ? [] : ['a change of a file of the host']),
    ...(now.visits === 0 ? [] : [`${now.visits} connections to servers of the host`]),
  ];
}

function described(key: string, one: string | number): string {
  return key === 'processes'
    ? ` ${/^(?:Name|State|Uid):.*$/gm.exec(readIfThere(`/proc/${one}/status`))?.[0] ?? ''}`
    : '';
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
