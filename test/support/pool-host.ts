import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from '../../src/base/architecture.ts';
import { noProgress } from '../../src/base/progress.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import type { RunRequest } from '../../src/run-program.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';
import { nodeImage, pythonImage, sharedHome } from './command.ts';
import type { WarmProgram } from './python-programs.ts';

const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';
const FIRST_UID = 1_900_000_000;

/** What a pool needs, with an image for each language. */
export interface PoolHost extends AsyncDisposable {
  readonly context: PipelineContext;
  readonly python: Image;
  readonly node: Image;
}

export async function poolHost(): Promise<PoolHost> {
  const names = { python: await pythonImage(), node: await nodeImage() };
  const store = await Store.open({ home: sharedHome() });
  return {
    python: await findImage(store, names.python, ARCHITECTURE),
    node: await findImage(store, names.node, ARCHITECTURE),
    context: {
      store,
      environment: {},
      hostArchitecture: ARCHITECTURE,
      signal: new AbortController().signal,
      progress: noProgress,
      now: Math.floor(Date.now() / 1000),
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
}

export function requestOf(image: Image, { file = 'main.py', code, request }: WarmProgram): RunRequest {
  return {
    image,
    program: { kind: 'file', file: { name: file, content: Buffer.from(code) } },
    arguments: [],
    limits: {},
    stdio: 'capture',
    ...request,
  };
}

/**
 * What a report says, without time, memory and addresses. Where a stack begins, Node.js names what called the program, and
 * Python the file that waited: these are left out too.
 */
export function toldBy(report: RunReport): unknown {
  // Programs that a zygote forks have one layer more.
  const layers = report.isolation.layers.filter((layer) => layer !== 'user-namespace');
  const isolation = { ...report.isolation, layers };
  const text = JSON.stringify({ ...report, isolation, time: undefined, memory: undefined })
    .replaceAll(/0x[0-9a-f]+/g, '0x')
    .replaceAll(/(?:at )?(?:process\.)?processTicksAndRejections \([^)]*\)/g, 'START')
    .replaceAll(/(?:at )?node:internal\/main\/run_main_module[:0-9]*/g, 'START')
    .replaceAll(
      /(?:Traceback \(most recent call last\):\\n)? {2}File \\"\/run\/program\/\.parked\\", line \d+,? in <module>\\n/g,
      '',
    );
  return JSON.parse(text);
}

/**
 * Processes of cells, mounts and control groups that nobody looks after any more, or that this process does: on a machine
 * where others run programs at the same time, theirs are left out.
 */
export function leftovers(): readonly string[] {
  const processes = pids().filter((pid) => Number(/^Uid:\t(\d+)/m.exec(fileOf(pid, 'status'))?.[1]) >= FIRST_UID);
  const mounts = fileOf(process.pid, 'mountinfo').split('\n');
  // It complains of groups that go while it looks.
  const groups = spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', 'rootcellar-*'], { encoding: 'utf8' });
  return [
    ...processes.filter((pid) => !isOfOthers(pid)).map((pid) => `process ${pid}`),
    ...mounts.filter((line) => line.includes('rootcellar-cell')),
    ...groups.stdout.split('\n').filter((path) => path !== '' && textOf(join(path, 'cgroup.procs')) === ''),
  ];
}

/** Whether its launcher is alive, and another process has started that. */
function isOfOthers(pid: number): boolean {
  const above = ancestors(pid);
  return !above.includes(process.pid) && above.some((parent) => fileOf(parent, 'cmdline').endsWith('/cell\0run\0'));
}

/** Pids of the programs that wait in cells of this process, and of the launchers of these cells. */
export function parkedPids(): { readonly guests: readonly number[]; readonly launchers: readonly number[] } {
  const guests = pids().filter(
    (pid) => fileOf(pid, 'cmdline').includes('/run/program/.parked') && ancestors(pid).includes(process.pid),
  );
  return { guests, launchers: guests.map((pid) => ancestors(pid)[1] ?? 0) };
}

/** The parent first. */
function ancestors(pid: number): readonly number[] {
  const parent = Number(/^PPid:\t(\d+)/m.exec(fileOf(pid, 'status'))?.[1] ?? 0);
  return parent === 0 ? [] : [parent, ...ancestors(parent)];
}

function pids(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function fileOf(pid: number, name: string): string {
  return textOf(`/proc/${pid}/${name}`);
}

/** Of a file that may go at any time. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
