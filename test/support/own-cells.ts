import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as cellHostModule from '../../src/cell-host.ts';
import type { Ground } from '../../src/cell-host.ts';

const NATIVE = join(import.meta.dirname, '../../native');
/** CI runs some of the tests a second time with the launcher of `make sanitized`. */
const IS_SANITIZED = process.env['CELL_SANITIZED'] === '1';
const IDS = 64;

/** A launcher, user ids and a folder for sockets that are only one test file's, so that what its cells leave can be told. */
export interface OwnCells {
  readonly folder: string;
  readonly cellPath: string;
  readonly firstUid: number;
  /** Control groups of all cells. */
  readonly directories: Set<string>;
}

const state: { cells: OwnCells | undefined } = { cells: undefined };

/** In use from here on, where `src/cell-host.ts` is mocked by `ownHost`. */
export function useOwnCells(firstUid: number): OwnCells {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-warm-'));
  const build = join(folder, 'native');
  const cellPath = join(build, IS_SANITIZED ? 'sanitized/cell' : 'cell');
  execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${build}`, 'CFLAGS=-O1', cellPath], { stdio: 'pipe' });
  mkdirSync(join(folder, 'run'), { mode: 0o700 });
  state.cells = { folder, cellPath, firstUid, directories: new Set() };
  return state.cells;
}

/** Throws when a sanitizer has found something in one of the launchers. */
export function removeOwnCells({ folder, cellPath }: OwnCells): void {
  const build = dirname(cellPath);
  const findings = readdirSync(build).filter((name) => name.startsWith('findings'));
  const texts = findings.map((name) => readFileSync(join(build, name), 'utf8'));
  rmSync(folder, { recursive: true });
  if (texts.length > 0) throw new Error(texts.join('\n'));
}

function ours(): OwnCells {
  if (state.cells === undefined) throw new Error('no cells of our own yet');
  return state.cells;
}

type Host = typeof cellHostModule;

/** For `vi.mock`: the same host, with what is our own in place of what all share. */
export function ownHost(real: Host): Host {
  return {
    ...real,
    get CELL_PATH() {
      return ours().cellPath;
    },
    runFolder: () => join(ours().folder, 'run'),
    cellGround: async (host, limits, now): Promise<Ground> => {
      const ground = await real.cellGround(host, limits, now);
      for (const directory of ground.cgroups?.directories ?? []) ours().directories.add(directory);
      const lockFile = join(ours().folder, 'uids');
      return { ...ground, identities: { firstUid: ours().firstUid, count: IDS, lockFile } };
    },
  };
}

/** What is there of any of the cells: processes, control groups, mounts, sockets. */
export function leftOfCells({ folder, cellPath, firstUid, directories }: OwnCells): readonly string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const isOwn = (uid: number): boolean => uid >= firstUid && uid < firstUid + IDS;
  return [
    ...processes().flatMap((pid) => (commandOf(pid).startsWith(`${cellPath}\0`) ? [`launcher ${pid}`] : [])),
    ...processes().flatMap((pid) => (uidsOf(pid).some(isOwn) ? [`process ${pid}`] : [])),
    ...[...directories].filter((directory) => existsSync(directory)),
    ...mounts.filter((mount) => mount.includes(folder)),
    ...readdirSync(join(folder, 'run')).map((name) => `in the folder for sockets: ${name}`),
  ];
}

function processes(): readonly string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

/** Pids of what there is of one pool. */
export interface CellProcesses {
  readonly zygoteKeeper: number | undefined;
  /** The first process of the zygote's cell. */
  readonly zygoteInit: number | undefined;
  readonly zygote: number | undefined;
  readonly berthKeepers: readonly number[];
  readonly berthInits: readonly number[];
}

/** Who is who, by parents: a keeper's children are its first process, and a zygote's keeper's also keepers. */
export function cellProcesses({ cellPath }: OwnCells): CellProcesses {
  const launchers = processes().filter((pid) => commandOf(pid).startsWith(`${cellPath}\0`));
  const childrenOf = (pid: string): readonly string[] => launchers.filter((other) => parentOf(other) === pid);
  const zygoteKeeper = launchers.find((pid) => childrenOf(pid).some((child) => !isInit(child)));
  const ofZygote = zygoteKeeper === undefined ? [] : childrenOf(zygoteKeeper);
  const zygoteInit = ofZygote.find(isInit);
  const zygote = processes().find((pid) => parentOf(pid) === zygoteInit && rowOf(pid, 'NSpid').split(' ').length === 2);
  const berthKeepers = ofZygote.filter((pid) => !isInit(pid));
  return {
    zygoteKeeper: numberOf(zygoteKeeper),
    zygoteInit: numberOf(zygoteInit),
    zygote: numberOf(zygote),
    berthKeepers: berthKeepers.map(Number),
    berthInits: berthKeepers.flatMap(childrenOf).filter(isInit).map(Number),
  };
}

/** The first of its process namespace. */
function isInit(pid: string): boolean {
  return rowOf(pid, 'NSpid').endsWith(' 1');
}

function numberOf(pid: string | undefined): number | undefined {
  return pid === undefined ? undefined : Number(pid);
}

function parentOf(pid: string): string {
  return rowOf(pid, 'PPid');
}

/** The text of a row of a process's status, with blanks between its words. */
function rowOf(pid: string, key: string): string {
  const row = new RegExp(`^${key}:\\t(.*)$`, 'm').exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? '';
  return row.replaceAll('\t', ' ');
}

function commandOf(pid: string): string {
  return readIfThere(`/proc/${pid}/cmdline`);
}

/** Also of one that hides its memory, whose folder in /proc is root's. */
function uidsOf(pid: string): readonly number[] {
  return rowOf(pid, 'Uid').split(' ').map(Number);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

const LONGEST_WAIT_MS = 60_000;
const PAUSE_MS = 10;

/** Waits for a condition of the world outside. Throws when it does not come. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LONGEST_WAIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`has not come to be: ${isTrue.toString()}`);
    await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
  }
}

/** What is left of all cells once it has had time to go; empty when nothing. */
export async function leftAtLast(cells: OwnCells): Promise<readonly string[]> {
  const end = performance.now() + LONGEST_WAIT_MS;
  let left = leftOfCells(cells);
  while (left.length > 0 && performance.now() < end) {
    await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
    left = leftOfCells(cells);
  }
  return left;
}
