import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostDisk } from '../../src/assemble/host-disk.ts';
import { inspectInterpreter } from '../../src/assemble/host-interpreter.ts';
import { parseHostAnswer } from '../../src/assemble/host-question.ts';
import { parseArchitecture } from '../../src/base/architecture.ts';
import type { HostPython } from '../../src/resolve/host-machine.ts';
import { hostFolder, hostPython } from '../support/host-python.ts';
import { elfFile } from './elf-files.ts';

const ARCHITECTURE = parseArchitecture(process.arch) ?? 'amd64';
const PLACE = { file: 'recipe.yaml', line: 4, column: 18 };
const place = hostFolder();
afterAll(() => place[Symbol.dispose]());

async function inspect(program: string, architecture = ARCHITECTURE): Promise<HostPython> {
  const base = { kind: 'host', pythonPath: { [architecture]: program }, libraries: [], place: PLACE } as const;
  return await inspectInterpreter(hostDisk(), { base, architecture, signal: undefined });
}

function script(name: string, body: string): string {
  const path = place.path(name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('inspectInterpreter()', () => {
  it('finds out what this machine’s interpreter is, whatever the environment says', async () => {
    const { program, minor, stdlib } = hostPython();
    const before = { ...process.env };
    Object.assign(process.env, { PYTHONHOME: '/nonexistent', PYTHONPATH: place.folder, PYTHONSTARTUP: '/x' });
    try {
      const python = await inspect(program);
      expect(python.interpreter).toMatchObject({ path: program, stdlib });
      expect(python.interpreter.version).toMatch(new RegExp(`^${minor}\\.\\d+$`));
      const libc = execFileSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' }).trim().split(' ')[1];
      expect(python.interpreter.glibc).toBe(libc);
      expect(python.folders).toContain(stdlib);
      expect(python.folders.every((folder) => folder.startsWith('/') && folder !== place.folder)).toBe(true);
    } finally {
      process.env = before;
    }
  });

  it('follows a script that starts an interpreter, as pyenv’s shims are', async () => {
    const shim = script('shim', `exec ${hostPython().program} "$@"`);
    const python = await inspect(shim);
    expect(python).toMatchObject({ program: hostPython().program, interpreter: { path: hostPython().program } });
  });

  it.each([
    { kind: 'links', words: [], shares: false },
    { kind: 'copies', words: ['--copies'], shares: false },
    { kind: 'links and the packages of the system', words: ['--system-site-packages'], shares: true },
  ])('knows a virtual environment of $kind', async ({ words, shares }) => {
    const { program, minor, stdlib } = hostPython();
    const folder = place.path('venv');
    execFileSync(program, ['-m', 'venv', '--clear', '--without-pip', ...words, folder]);
    const python = await inspect(join(folder, 'bin/python'));
    const site = join(folder, 'lib', `python${minor}`, 'site-packages');
    expect(python.interpreter).toMatchObject({ path: `${folder}/bin/python`, sitePath: site, prefix: folder, stdlib });
    expect(python.files).toContain(join(folder, 'pyvenv.cfg'));
    expect(python.folders).toContain(site);
    const system = (await inspect(program)).folders.filter((path) => /(?:site|dist)-packages$/.test(path));
    expect(python.folders.filter((path) => system.includes(path))).toEqual(shares ? system : []);
  });

  it.each([
    ['does not exist', () => place.path('none')],
    ['is a folder', () => place.folder],
    ['does not answer: no python here', () => script('fails', 'echo no python here >&2; exit 3')],
    ['does not answer: what it says is not what Python 3 would say', () => script('liar', 'echo "{}"')],
    ['does not answer: ', () => script('flood', 'yes')],
    ['is Python 3.7', () => script('old', answer({ version: [3, 7, 1, 'final', 0] }))],
    ['is pypy, not CPython', () => script('pypy', answer({ implementation: 'pypy' }))],
    ['is a build of another kind (ABI flags `t`)', () => script('threads', answer({ abiflags: 't' }))],
    ['has no `json` in its standard library', () => script('shadowed', answer({ json: '/tmp/json/__init__.py' }))],
    ['which is no Python', () => script('shell', answer({ executable: '/bin/sh' }))],
    ['is for arm64, not for amd64', () => elf('foreign', 183)],
  ])('refuses a program that %s', async (fault, make) => {
    const program = make();
    const architecture = fault.startsWith('is for') ? 'amd64' : ARCHITECTURE;
    const error: unknown = await inspect(program, architecture).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'E_HOST_PYTHON', place: PLACE });
    expect(String(error)).toContain(fault);
  });
});

function elf(name: string, machine: number): string {
  writeFileSync(place.path(name), elfFile({ machine, interpreter: '/lib/ld-linux-aarch64.so.1' }), { mode: 0o755 });
  return place.path(name);
}

function answer(changes: Readonly<Record<string, unknown>>): string {
  const { program, stdlib } = hostPython();
  const honest = {
    executable: program,
    implementation: 'cpython',
    version: [3, 11, 2, 'final', 0],
    abiflags: '',
    prefix: '/usr',
    stdlib,
    platstdlib: stdlib,
    purelib: '/usr/lib/python3/dist-packages',
    data: '/usr',
    path: [stdlib],
    site: [],
    json: `${stdlib}/json/__init__.py`,
  };
  return `cat <<'END'\n${JSON.stringify({ ...honest, ...changes })}\nEND`;
}

describe('parseHostAnswer()', () => {
  it.each(['', 'null', '[]', '{"executable": "relative"}', '{"executable":"/x', '\0'])(
    'takes %j for no answer',
    (text) => {
      expect(parseHostAnswer(text)).toBeUndefined();
    },
  );
});
