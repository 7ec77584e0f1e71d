import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NATIVE } from './toy-cell.ts';

export const SHIM_PROGRAMS: string = join(import.meta.dirname, 'programs');
const OWN = process.arch === 'x64' ? 'amd64' : 'arm64';

/** A folder with the shims, and an empty root. */
export interface ShimHost {
  readonly folder: string;
  readonly root: string;
  /** By architecture; whether it was built depends on the compilers of this machine. */
  readonly shims: Readonly<Record<'own' | 'amd64' | 'arm64', string>>;
}

export function makeShimHost(): ShimHost {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-shim-'));
  execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${folder}`, 'shims'], { stdio: 'pipe' });
  const [amd64, arm64] = [join(folder, 'amd64/python.so'), join(folder, 'arm64/python.so')];
  const root = join(folder, 'root');
  mkdirSync(root);
  chmodSync(folder, 0o755);
  return { folder, root, shims: { own: OWN === 'amd64' ? amd64 : arm64, amd64, arm64 } };
}

export function removeShimHost(host: ShimHost | undefined): void {
  if (host !== undefined) rmSync(host.folder, { recursive: true });
}

export interface ShimRun {
  readonly uid?: number;
  readonly gid?: number;
  readonly network?: boolean;
  /** Runs with all privileges, in front of the call. */
  readonly preload?: string;
  readonly allowed?: string;
  /** A root filesystem that has the interpreter; the script runs in it, and makes its `/tmp/jail` the root. */
  readonly image?: string;
  /** Starts the interpreter, such as `setpriv` with its words. */
  readonly through?: readonly string[];
  /** User that starts it. */
  readonly startUid?: number;
}

export interface ShimEnding {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the script with `code` on descriptor 3, in a folder with the script and the shim, as dify-sandbox does. */
export function runConfined(host: ShimHost, code: string, run: ShimRun = {}): ShimEnding {
  const outside = run.image === undefined ? host.folder : join(run.image, 'tmp');
  const inside = run.image === undefined ? host.folder : '/tmp';
  copyFileSync(host.shims.own, join(outside, 'python.so'));
  copyFileSync(join(SHIM_PROGRAMS, 'shim-bootstrap.py'), join(outside, 'bootstrap.py'));
  mkdirSync(join(outside, 'root'), { recursive: true });
  writeFileSync(join(outside, 'code.py'), code);
  const { uid = 10_001, gid = 65_537, network = false } = run;
  const script = [join(inside, 'bootstrap.py'), join(inside, 'root'), `${uid}`, `${gid}`, network ? '1' : '0'];
  const enter = run.image === undefined ? [] : ['unshare', '-R', run.image, '-w', inside];
  const words = [...(run.through ?? []), ...enter, '/usr/bin/python3', ...script];
  const [program = '', ...rest] = run.preload === undefined ? words : [...words, run.preload];
  const descriptor = openSync(join(outside, 'code.py'), 'r');
  const ended = spawnSync(program, rest, {
    cwd: outside,
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe', descriptor],
    env: { PATH: process.env['PATH'], ...(run.allowed === undefined ? {} : { ALLOWED_SYSCALLS: run.allowed }) },
    ...(run.startUid === undefined ? {} : { uid: run.startUid, gid: run.startUid }),
  });
  closeSync(descriptor);
  return { status: ended.status, signal: ended.signal, stdout: ended.stdout, stderr: ended.stderr };
}

/** Compiles the program that calls the shim without any Python, for a C library of the compiler's. */
export function compileCaller(host: ShimHost, compiler: string, libraries: readonly string[]): string {
  const program = join(host.folder, `call-shim-${compiler}`);
  execFileSync(compiler, ['-w', '-O1', '-o', program, join(SHIM_PROGRAMS, 'call-shim.c'), ...libraries]);
  return program;
}

/** What the program says, on either stream. `words` end with the shim. */
export function callShim(words: readonly string[], host: ShimHost, uid: string, environment = {}): string {
  const [program = '', ...rest] = words;
  const ended = spawnSync(program, [...rest, uid, host.root], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], ...environment },
  });
  return ended.stdout + ended.stderr;
}

/** Words that start a program as root without one capability. */
export function without(capability: string): readonly string[] {
  return ['setpriv', `--bounding-set=-${capability}`];
}
