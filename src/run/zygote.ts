import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { cellProcess, duplexOf, removeCgroups, send, spawnCell, statusRecords } from './cell-process.ts';
import type { CellProcess } from './cell-process.ts';
import { encodePlan, type LaunchPlan } from './launch-plan.ts';
import { exitOf, parkedCell, readiness, type ParkedCell } from './park-cell.ts';
import { readStatus } from './status-reader.ts';

/** A confined interpreter with its imports done, which forks the programs of cells: native/zygote.h. */
export interface Zygote {
  /** A parked cell whose program it forks. Rejects with E_SANDBOX when none came of it. */
  readonly fork: (plan: LaunchPlan) => Promise<ParkedCell>;
  /** How many cells it was asked for. */
  readonly forks: () => number;
  /** Lets it go; cells that it has forked go on. Settles when all of them are gone. */
  readonly close: () => Promise<void>;
}

export interface ZygoteRequest {
  /** Without a listener in its filter: `zygoteFilter`. */
  readonly plan: LaunchPlan;
  readonly cellPath: string;
  /** Absolute path of the socket to be made, on which launchers of cells connect; in a folder that is nobody else's. */
  readonly socket: string;
}

/** BERTH_ID of native/berth.h, and the digit behind it. */
const ID_LENGTH = 32;
const CONNECTIONS = 4;
/** What their sockets are called, up to a random part. */
export const SOCKET_PREFIX = 'zygote-';
/** Younger ones may be of a zygote that does not listen yet. */
const STALE_MS = 60_000;
/** As the launcher's own limit for making a cell, and a little more. */
const LONGEST_SETUP_MS = 35_000;

/** Connections of one launcher, by their digits. */
interface Arrivals {
  readonly sockets: Map<string, Socket>;
  readonly arrived: (sockets: ReadonlyMap<string, Socket>) => void;
}

/**
 * Starts a zygote. Rejects with E_SANDBOX when it cannot be had: something in it would be shared by all that it forks (threads, writable
 * shared memory, descriptors), its interpreter lacks what it needs, or an import fails.
 */
export async function startZygote(request: ZygoteRequest): Promise<Zygote> {
  const { plan, cellPath, socket } = request;
  const expected = new Map<string, Arrivals>();
  const server = createServer((connection) => receive(connection, expected));
  await listening(server, socket);
  await sweepSockets(dirname(socket), (await stat(socket)).mtimeMs - STALE_MS);
  const bytes = encodePlan({ ...plan, isParked: true, zygote: { socket } });
  const child = spawnCell(cellPath, ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'pipe']);
  const parked = readiness(duplexOf(child, 4));
  const cell = cellProcess(child);
  send(duplexOf(child, 3), bytes);
  // Whoever ends it is told.
  cell.ended.catch(() => undefined);
  cell.job?.on('error', () => undefined);
  const gone = exitOf(child);
  const isReady = await Promise.race([parked, gone.then(() => false)]);
  if (!isReady) {
    await endZygote(cell, server, request);
    throw refused(await cell.records);
  }
  // Its launcher ends that socket as soon as it can fork no more, and itself only when its cells have gone.
  const job = duplexOf(child, 7);
  job?.resume();
  const deaf = endOf(job).then(() => undefined);
  let forks = 0;
  /** Control groups of cells that were given up while their launchers made them. */
  const abandoned: string[] = [];
  const fork = async (berthPlan: LaunchPlan): Promise<ParkedCell> => {
    const id = randomBytes(ID_LENGTH / 2).toString('hex');
    forks += 1;
    const arrival = new Promise<ReadonlyMap<string, Socket>>((resolve) => {
      expected.set(id, { sockets: new Map(), arrived: resolve });
    });
    cell.job?.write(framed(encodePlan({ ...berthPlan, isParked: true, berth: { socket, id } })));
    const late = new AbortController();
    const sockets = await Promise.race([arrival, deaf, nothingBy(LONGEST_SETUP_MS, late.signal)]);
    late.abort();
    const some = expected.get(id);
    expected.delete(id);
    if (sockets !== undefined) return berthCell(sockets, berthPlan, cellPath);
    for (const one of some?.sockets.values() ?? []) one.destroy();
    abandoned.push(...(berthPlan.cgroups?.directories ?? []));
    throw new RootcellarError('E_SANDBOX', 'a zygote: its cell did not come to be');
  };
  const close = async (): Promise<void> => {
    await endZygote(cell, server, request);
    await removeCgroups(abandoned);
  };
  return { fork, forks: () => forks, close };
}

/** Settles when its launcher, and so all that it has forked, is gone, and what a killed launcher has left. */
async function endZygote(cell: CellProcess, server: Server, { plan, socket }: ZygoteRequest): Promise<void> {
  cell.job?.end();
  await cell.ended;
  server.close();
  await rm(socket, { force: true });
  const { isComplete } = readStatus((await cell.records).toString('latin1'));
  if (!isComplete) await removeCgroups(plan.cgroups?.directories ?? []);
}

async function nothingBy(ms: number, signal: AbortSignal): Promise<undefined> {
  try {
    await setTimeout(ms, undefined, { signal, ref: false });
  } catch (error) {
    if (!isErrno(error, 'ABORT_ERR')) throw error;
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

/**
 * Removes sockets of zygotes, made before that time (ms since 1970), on which nobody listens any more: one that is killed between
 * making its socket and telling the launcher of it leaves it.
 */
export async function sweepSockets(folder: string, madeBefore: number): Promise<void> {
  for (const name of (await readdir(folder)).filter((one) => one.startsWith(SOCKET_PREFIX))) {
    const path = join(folder, name);
    const made = await stat(path).catch(ignoreGone);
    if (made !== undefined && made.mtimeMs < madeBefore && !(await isHeard(path))) await rm(path, { force: true });
  }
}

function ignoreGone(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT')) throw error;
  return undefined;
}

function isHeard(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path, () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error) => resolve(!isErrno(error, 'ECONNREFUSED')));
  });
}

function refused(records: Buffer): RootcellarError {
  const { anomaly, failure } = readStatus(records.toString('latin1'));
  const why = anomaly ?? (failure === undefined ? 'its program ended' : `the step \`${failure.step}\` failed`);
  return new RootcellarError('E_SANDBOX', `a zygote: cannot be had (${why})`);
}

/** Whose it is, its first bytes tell. */
function receive(connection: Socket, expected: ReadonlyMap<string, Arrivals>): void {
  connection.on('error', () => connection.destroy());
  const hear = (): void => {
    const hello: unknown = connection.read(ID_LENGTH + 1);
    if (!Buffer.isBuffer(hello)) return;
    connection.off('readable', hear);
    const arrivals = expected.get(hello.toString('latin1', 0, ID_LENGTH));
    if (arrivals === undefined) {
      connection.destroy();
      return;
    }
    arrivals.sockets.set(hello.toString('latin1', ID_LENGTH), connection);
    if (arrivals.sockets.size === CONNECTIONS) arrivals.arrived(arrivals.sockets);
  };
  connection.on('readable', hear);
}

function framed(plan: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(plan.length);
  return Buffer.concat([length, plan]);
}

function berthCell(sockets: ReadonlyMap<string, Socket>, plan: LaunchPlan, cellPath: string): ParkedCell {
  const [stdin, stdout, stderr, status] = ['0', '1', '2', '3'].map((digit) => sockets.get(digit));
  if (stdin === undefined || stdout === undefined || stderr === undefined || status === undefined) {
    throw new Error('unreachable: all four came');
  }
  const over = endOf(status);
  const parked = readiness(status);
  const cell: CellProcess = {
    stdin,
    stdout,
    stderr,
    status,
    outputs: undefined,
    contents: undefined,
    job: stdout,
    // When it has said everything, nothing of the cell is left.
    ended: over,
    records: statusRecords(status),
    // Its launcher is no child of ours; the end of the status socket ends the run.
    kill: () => {
      status.end();
    },
  };
  return parkedCell({ cell, parked, gone: over, plan, cellPath });
}

function endOf(socket: Duplex | undefined): Promise<void> {
  return new Promise((resolve) => {
    socket?.once('end', () => resolve());
    socket?.once('close', () => resolve());
  });
}
