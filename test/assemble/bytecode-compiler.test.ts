import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { compileBytecode } from '../../src/assemble/bytecode-compiler.ts';
import type { CompiledArtifact } from '../../src/assemble/bytecode-compiler.ts';
import { digestOf } from '../../src/base/digest.ts';
import { treeOf } from './elf-trees.ts';
import { copyHostInterpreter, HAS_PYTHON } from './host-interpreter.ts';
import type { HostInterpreter } from './host-interpreter.ts';
import { skipWithout } from '../support/skip-without.ts';

const FOLDER = 'usr/lib/python3/dist-packages';

interface Compiled extends CompiledArtifact {
  readonly bytecode: ReadonlyMap<string, Buffer>;
}

function moduleText(index: number): string {
  return [
    `NAMES = frozenset({'alpha', 'beta', 'gamma', 'name${index}'})`,
    `def f(x, *, y=${index}):`,
    "    return x in {'one', 'two', None, ...} or NAMES",
    '',
  ].join('\n');
}

describe.skipIf(skipWithout('python3', HAS_PYTHON))('compileBytecode() (skipped without python3)', () => {
  const host = HAS_PYTHON ? copyHostInterpreter() : undefined;
  afterAll(() => host?.remove());

  async function compile(
    files: Readonly<Record<string, string>>,
    changes: Partial<Parameters<typeof compileBytecode>[0]> = {},
  ): Promise<Compiled> {
    if (host === undefined) throw new Error('no interpreter');
    const named = Object.fromEntries(Object.entries(files).map(([name, text]) => [`${FOLDER}/${name}`, text]));
    const { tree, contents } = treeOf(named);
    const written: Buffer[] = [];
    const compiled = await compileBytecode({
      artifact: { entries: [...tree.values()], scripts: [], metadata: '' },
      contents,
      interpreter: host.interpreter,
      layout: host.layout,
      root: host.root,
      sink: {
        write: async (chunks) => {
          const parts: Uint8Array[] = [];
          for await (const chunk of chunks) parts.push(chunk);
          const content = Buffer.concat(parts);
          written.push(content);
          return { digest: digestOf(content), size: content.length };
        },
      },
      signal: new AbortController().signal,
      ...changes,
    });
    return {
      ...compiled,
      bytecode: new Map(compiled.entries.map(({ path }, index) => [path, written[index] ?? Buffer.alloc(0)])),
    };
  }

  it('makes bytecode that the interpreter runs under its name in the image', async () => {
    const { bytecode, entries, uncompiled } = await compile({
      'a.py': 'import sys\nprint(sys._getframe().f_code.co_filename)\n',
    });
    const [pyc = Buffer.alloc(0)] = bytecode.values();
    const folder = mkdtempSync(join(tmpdir(), 'rootcellar-pyc-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'a.pyc'), pyc);
    expect(spawnSync('python3', ['-I', join(folder, 'a.pyc')], { encoding: 'utf8' }).stdout).toBe(`/${FOLDER}/a.py\n`);
    expect(uncompiled).toEqual([]);
    expect(entries).toMatchObject([
      { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, origin: expect.any(String), size: pyc.length },
    ]);
  });

  it('makes bytecode that is never checked against the source: PEP 552', async () => {
    const [pyc] = (await compile({ 'a.py': 'x = 1\n' })).bytecode.values();
    expect(pyc?.readUInt32LE(4)).toBe(1);
    const hash = spawnSync('python3', ['-c', 'import importlib.util as u; print(u.source_hash(b"x = 1\\n").hex())'], {
      encoding: 'utf8',
    });
    expect(pyc?.toString('hex', 8, 16)).toBe(hash.stdout.trim());
  });

  it('gives the same bytes again, whatever the environment and the number of files around a chunk', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`m${String(index).padStart(3, '0')}.py`, moduleText(index)]),
    );
    const first = await compile(files);
    const reversed = Object.fromEntries(Object.entries(files).toReversed());
    const second = await compile(reversed);
    expect(second.entries).toEqual(first.entries);
    const firstChunk = Object.fromEntries(Object.entries(files).slice(0, 64));
    expect((await compile(firstChunk)).entries).toEqual(first.entries.slice(0, 64));
    expect(first.entries).toHaveLength(200);
  });

  it('lists hostile and broken sources with what is wrong, and compiles the others', async () => {
    const { entries, uncompiled } = await compile({
      'bomb.py': '('.repeat(1_000_000),
      'cookie.py': '# -*- coding: latin-1 -*-\nname = "caf\u00e9"\n',
      'digits.py': `x = ${'9'.repeat(100_000)}\n`,
      'empty.py': '',
      'good.py': 'x = 1\n',
      'minus.py': `x = ${'-'.repeat(1_000_000)}1\n`,
      'null.py': 'x = 1\0\n',
      'python2.py': 'print "hello"\n',
      'sum.py': `x = ${'1+'.repeat(200_000)}1\n`,
      'unknown.py': '# coding: no-such-coding\n',
      'warns.py': 'x = "\\d"\n',
    });
    expect(entries.map(({ path }) => /([a-z0-9]+)\.cpython/.exec(path)?.[1])).toEqual(
      expect.arrayContaining(['cookie', 'empty', 'good', 'warns']),
    );
    const reasons = Object.fromEntries(uncompiled.map(({ path, reason }) => [path.slice(FOLDER.length + 1), reason]));
    expect(reasons).toMatchObject({
      'bomb.py': expect.stringMatching(/^SyntaxError: too many nested parentheses/),
      'null.py': expect.stringMatching(
        /^(?:SyntaxError|ValueError): source code (?:string )?cannot contain null bytes/,
      ),
      'python2.py': expect.stringMatching(/^SyntaxError: Missing parentheses/),
      'unknown.py': expect.stringMatching(/^SyntaxError: (?:unknown encoding|encoding problem)/),
    });
    expect(entries.length + uncompiled.length).toBe(11);
  }, 60_000);

  it('leaves out only the source that kills the compiler', async () => {
    if (host === undefined) throw new Error('no interpreter');
    writeFileSync(join(host.root, 'buggy-python'), buggyInterpreter(host), { mode: 0o755 });
    const layout = { ...host.layout, loader: undefined, program: 'buggy-python' };
    const { entries, uncompiled } = await compile(
      { 'a.py': 'x = 1\n', 'b.py': '# KILL\n', 'c.py': 'y = 2\n' },
      { layout },
    );
    expect(uncompiled).toEqual([
      {
        path: `${FOLDER}/b.py`,
        reason: 'the compiler crashed, or needed more than 4 GiB of memory or 120 s',
      },
    ]);
    expect(entries).toEqual((await compile({ 'a.py': 'x = 1\n', 'c.py': 'y = 2\n' })).entries);
  });

  it('leaves out a source of more than 8 MiB without asking the compiler', async () => {
    const { uncompiled, entries } = await compile({ 'huge.py': `#${'x'.repeat(8 * 1024 ** 2)}\n`, 'small.py': '' });
    expect(uncompiled).toEqual([{ path: `${FOLDER}/huge.py`, reason: 'is larger than 8388608 bytes' }]);
    expect(entries).toHaveLength(1);
  });

  it('does nothing for an artifact without Python', async () => {
    expect(await compile({ 'README.txt': 'hello' })).toMatchObject({ entries: [], uncompiled: [] });
  });

  it('refuses an interpreter of another version', async () => {
    if (host === undefined) throw new Error('no interpreter');
    const interpreter = { ...host.interpreter, version: '3.99.1' };
    await expect(compile({ 'a.py': '' }, { interpreter })).rejects.toMatchObject({
      code: 'E_BYTECODE',
      message: expect.stringMatching(/: is `3\.\d+\.\d+ cpython-3\d+`, not `3\.99\.1 cpython-399`$/),
    });
  });

  it('says why an interpreter does not run', async () => {
    if (host === undefined) throw new Error('no interpreter');
    const layout = { ...host.layout, libraryFolders: [], program: 'no/such/python' };
    await expect(compile({ 'a.py': '' }, { layout })).rejects.toMatchObject({
      code: 'E_BYTECODE',
      message: expect.stringMatching(/does not run on this machine: .*no\/such\/python/),
    });
  });

  it('stops with the signal, and leaves no process', async () => {
    const controller = new AbortController();
    const files = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`m${index}.py`, `x = ${index}\n`]));
    const compiling = compile(files, { signal: controller.signal });
    controller.abort(new Error('told to stop'));
    await expect(compiling).rejects.toThrow('told to stop');
    await expect(compile(files, { signal: controller.signal })).rejects.toThrow('told to stop');
    // A killed process is gone when the kernel has taken it apart, which a busy machine does a little later.
    await expect.poll(workingFolders, { timeout: 10_000 }).not.toContain(host?.root);
  });
});

/** The same interpreter with a bug: a source with the word KILL in it ends the process that compiles it. */
function buggyInterpreter({ layout, root }: HostInterpreter): string {
  const libraries = layout.libraryFolders.map((folder) => join(root, folder)).join(':');
  const loader = layout.loader === undefined ? '' : `${join(root, layout.loader)} --library-path ${libraries}`;
  return `#!/bin/sh
driver=$(sed 's/^    try:$/    if b"KILL" in source: posix.kill(posix.getpid(), 9)\\n    try:/' /dev/fd/3)
exec ${loader} ${join(root, layout.program)} -s -S -B -X frozen_modules=on /dev/fd/4 4<<END
$driver
END
`;
}

/** Of all processes; one may end while we look, and others' may be hidden. */
function workingFolders(): string[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.map((name) => {
    try {
      return readlinkSync(`/proc/${name}/cwd`);
    } catch {
      return '';
    }
  });
}
