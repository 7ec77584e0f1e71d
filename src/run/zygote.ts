import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { cellProcess, duplexOf, send, spawnCell, statusRecords, type CellProcess } from './cell-process.ts';
import { encodePlan, type LaunchPlan } from './launch-plan.ts';
import { exitOf, parkedCell, readiness, type ParkedCell } from './park-cell.ts';
import { readStatus } from './status-reader.ts';

/** A confined interpreter with its imports done, which forks the programs of cells: native/zygote.h. */
export interface Zygote {
  /** A parked cell whose program it forks. Rejects with E_SANDBOX when none came of it. */
  readonly fork: (plan: LaunchPlan) => Promise<ParkedCell>;
  /** How many cells it was asked for. */
  readonly forks: () => number;
  /** Whether it can be asked for more. */
  readonly isAlive: () => boolean;
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
export async function startZygote({ plan, cellPath, socket }: ZygoteRequest): Promise<Zygote> {
  const expected = new Map<string, Arrivals>();
  const server = createServer((connection) => receive(connection, expected));
  await listening(server, socket);
  const bytes = encodePlan({ ...plan, isParked: true, isZygote: true });
  const child = spawnCell(cellPath, ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'pipe']);
  const parked = readiness(duplexOf(child, 4));
  const cell = cellProcess(child);
  send(duplexOf(child, 3), bytes);
  const gone = exitOf(child);
  const state = { isAlive: true, forks: 0 };
  const end = async (): Promise<void> => {
    state.isAlive = false;
    cell.job?.end();
    await cell.ended;
    server.close();
    await rm(socket, { force: true });
  };
  cell.job?.on('error', () => {
    state.isAlive = false;
  });
  const isReady = await Promise.race([parked, gone.then(() => false)]);
  if (!isReady) {
    await end();
    throw refused(await cell.records);
  }
  const died = gone.then((): undefined => {
    state.isAlive = false;
    return undefined;
  });
  const fork = async (berthPlan: LaunchPlan): Promise<ParkedCell> => {
    const id = randomBytes(ID_LENGTH / 2).toString('hex');
    state.forks += 1;
    const arrival = new Promise<ReadonlyMap<string, Socket>>((resolve) => {
      expected.set(id, { sockets: new Map(), arrived: resolve });
    });
    cell.job?.write(framed(encodePlan({ ...berthPlan, isParked: true, berth: { socket, id } })));
    const late = new AbortController();
    const sockets = await Promise.race([
      arrival,
      died,
      setTimeout(LONGEST_SETUP_MS, undefined, { signal: late.signal, ref: false }).catch(() => undefined),
    ]);
    late.abort();
    expected.delete(id);
    if (sockets === undefined) throw new RootcellarError('E_SANDBOX', 'a zygote: its cell did not come to be');
    return berthCell(sockets, berthPlan, cellPath);
  };
  return { fork, forks: () => state.forks, isAlive: () => state.isAlive, close: end };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
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

function endOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve());
    socket.once('close', () => resolve());
  });
}
