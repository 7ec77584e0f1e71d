import { readdirSync, readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/run/run-report.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { COMMAND, pythonImage, rootcellar, sharedHome, workplace } from '../support/command.ts';
import { imageHost, start, type ImageHost } from '../support/image-host.ts';

const COPY = `
import os
os.makedirs("results/sub")
for folder, _, names in os.walk("data"):
    for name in names:
        text = open(os.path.join(folder, name)).read()
        open("results/sub/" + name, "w").write(text.upper())
        print(os.path.join(folder, name))
open("one.json", "w").write("{}")
`;

function refuse(): never {
  throw new Error('no more of this');
}

describe.skipIf(CANNOT_SANDBOX)('what goes into runs and comes out of them', () => {
  let host: ImageHost;
  beforeAll(async () => {
    await pythonImage();
    host = await imageHost(sharedHome());
    // Lays the image out, which is told on stderr.
    await (
      await start(host, {})
    ).report;
  });
  afterAll(() => host[Symbol.asyncDispose]());

  it('files by `--file` and `--out`', async () => {
    await using work = await workplace();
    await work.write({ 'data/a.txt': 'first', 'b.txt': 'second', 'copy.py': COPY });
    const words = ['--file', 'data', '--file', 'b.txt:data/more/b.txt', '--out', 'results', '--out', 'one.json:1.json'];
    const report = ['--report', 'report.json'];
    const ended = await rootcellar(['run', ...words, ...report, 'python', '--', 'copy.py'], { cwd: work.folder });
    expect(ended).toEqual({ status: 0, stdout: 'data/a.txt\ndata/more/b.txt\n', stderr: '' });
    expect(readFileSync(work.path('results/sub/a.txt'), 'utf8')).toBe('FIRST');
    expect(readFileSync(work.path('results/sub/b.txt'), 'utf8')).toBe('SECOND');
    expect(readFileSync(work.path('1.json'), 'utf8')).toBe('{}');
    const written: RunReport = JSON.parse(readFileSync(work.path('report.json'), 'utf8'));
    expect(written.files?.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: 'one.json', bytes: 2 },
      { path: 'results/sub/a.txt', bytes: 5 },
      { path: 'results/sub/b.txt', bytes: 6 },
    ]);
    // Once more: the folder is there now, and nothing is run.
    const again = await rootcellar(['run', ...words, 'python', '--', 'copy.py'], { cwd: work.folder });
    expect(again).toMatchObject({ status: 2, stdout: '' });
    expect(again.stderr).toMatch(/^error\[E_USAGE\] output: `.*\/results` is there already and is a folder/);
  });

  it('a file that is not there: told, and not well', async () => {
    await using work = await workplace();
    const ended = await rootcellar(['run', '-q', '--out', 'x', 'python', '-c', 'pass'], { cwd: work.folder });
    expect(ended).toEqual({ status: 1, stdout: '', stderr: 'rootcellar: not taken: `x`: there is no such file\n' });
    expect(readdirSync(work.folder)).toEqual([]);
  });

  it.each([
    ['a file that does not exist', ['--file', 'nothing'], 'file: '],
    ['a place outside', ['--file', 'a:../b'], 'file: '],
    ['more than /tmp holds', ['--file', 'a', '--limit', 'tmp=1MiB'], 'files: 2097152 bytes'],
    ['a file and a folder of one name', ['--file', 'a', '--file', 'a:a/b'], 'file: `a` would be'],
  ])('refuses %s before anything runs', async (_, words, message) => {
    await using work = await workplace();
    await work.write({ a: Buffer.alloc(2 * 1024 ** 2) });
    const ended = await rootcellar(['run', ...words, 'python', '-c', 'print(1)'], { cwd: work.folder });
    expect(ended).toMatchObject({ status: 2, stdout: '' });
    expect(ended.stderr).toContain(`error[E_USAGE] ${message}`);
  });

  it('output as it comes, with `--report` too', async () => {
    await using work = await workplace();
    const code = 'import sys\nprint("first", flush=True)\nprint("got", sys.stdin.readline(), end="")';
    const words = ['run', '--report', work.path('r.json'), 'python', '-c', code];
    const child = execa(process.execPath, [COMMAND, ...words], { env: { ROOTCELLAR_HOME: sharedHome() } });
    const first = await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(String(first)).toBe('first\n');
    // Only what was seen is answered.
    child.stdin.end('answer\n');
    expect((await child).stdout).toBe('first\ngot answer');
  });

  it('output that cannot be written is an event, and the command fails', async () => {
    await using work = await workplace();
    const through = ['sh', '-c', 'exec "$@" > /dev/full', 'sh'];
    const report = work.path('r.json');
    const ended = await rootcellar(['run', '--report', report, 'python', '-c', 'print(1)'], { through });
    expect(ended).toEqual({
      status: 1,
      stdout: '',
      stderr: 'rootcellar: its output is lost: stdout cannot be written (ENOSPC)\n',
    });
    const written: RunReport = JSON.parse(readFileSync(report, 'utf8'));
    expect(written).toMatchObject({
      status: 'ok',
      events: [{ kind: 'output_lost', stream: 'stdout', reason: 'ENOSPC' }],
    });
  });

  it('a reader that has read enough is no loss', async () => {
    const through = ['sh', '-c', '"$@" | head -c 2', 'sh'];
    const ended = await rootcellar(['run', 'python', '-c', 'print("a" * 100)'], { through });
    expect(ended).toEqual({ status: 0, stdout: 'aa', stderr: '' });
  });

  describe('with `stream`', () => {
    const FLOOD = 'import os\nfor n in range(64): os.write(1, bytes([n]) * 16384)\nos.write(2, b"done")';

    it('hands on every byte in order, and waits for who gets it', async () => {
      const chunks: Uint8Array[] = [];
      let [atOnce, most] = [0, 0];
      const onOutput = async (stream: string, bytes: Uint8Array): Promise<void> => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await new Promise((resolve) => setImmediate(resolve));
        if (stream === 'stdout') chunks.push(bytes);
        atOnce -= 1;
      };
      const program = { kind: 'code', code: FLOOD } as const;
      const running = await start(host, { program, stdio: 'stream', onOutput, limits: ['output=2MiB'] });
      const report = await running.report;
      expect(report).toMatchObject({ status: 'ok', truncated: { stdout: false } });
      expect(report.stdout).toBeUndefined();
      const expected = Buffer.concat(Array.from({ length: 64 }, (_, n) => Buffer.alloc(16_384, n)));
      expect(Buffer.concat(chunks).equals(expected)).toBe(true);
      // One for each stream.
      expect(most).toBeLessThanOrEqual(2);
    });

    it('never hands on more than the limit', async () => {
      let length = 0;
      const onOutput = (_: string, bytes: Uint8Array): void => void (length += bytes.length);
      const program = { kind: 'code', code: 'while True: print("x" * 1000)' } as const;
      const running = await start(host, { program, stdio: 'stream', onOutput, limits: ['output=10KiB'] });
      expect((await running.report).status).toBe('output_limit');
      expect(length).toBe(10_240);
    });

    it('ends the run when the listener fails, with its error', async () => {
      const program = { kind: 'code', code: 'while True: print("x" * 1000, flush=True)' } as const;
      const limits = ['wall=60s', 'cpu=60s', 'output=1GiB'];
      const running = await start(host, { program, stdio: 'stream', onOutput: refuse, limits });
      await expect(running.report).rejects.toThrow('no more of this');
    });
  });

  it.each([
    ['timeout', ['wall=1s'], 'time.sleep(60)'],
    ['cpu_limit', ['cpu=300ms'], 'while True: pass'],
    ['oom', ['memory=64MiB'], 'x = []\nwhile True: x.append(bytearray(2**20))'],
    ['signal', [], 'ctypes.string_at(0)'],
    ['error', [], 'raise SystemExit(3)'],
    ['denied', [], 'for n in range(2000):\n  try: os.fork()\n  except OSError: pass'],
    ['output_limit', ['output=10KiB'], 'while True: os.write(2, bytes(1000))'],
    ['disk_limit', ['tmp=1MiB'], 'open("x", "wb").write(bytes(2**22))'],
    ['cancelled', ['wall=60s'], 'time.sleep(60)'],
  ])('keeps what was written before the status %s, byte for byte', async (status, limits, code) => {
    const cancel = new AbortController();
    const written = 'import ctypes, os, time\nos.write(1, bytes(range(256)))\n';
    const program = { kind: 'code', code: written + code } as const;
    if (status === 'cancelled') setTimeout(() => cancel.abort(), 1500);
    const running = await start(host, { program, limits, cancel: cancel.signal });
    const report = await running.report;
    expect(report).toMatchObject({ status, encoding: 'base64' });
    expect([...Buffer.from(report.stdout ?? '', 'base64')]).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
  });

  it('large files in memory, too', async () => {
    await using work = await workplace();
    const files = [{ path: 'in', content: Buffer.alloc(80 * 1024 ** 2, 'ab') }];
    const outputs = [{ path: 'in', to: work.path('out') }];
    const limits = ['tmp=128MiB', 'memory=512MiB', 'wall=60s'];
    const report = await (await start(host, { files, outputs, limits })).report;
    expect(report.files).toEqual([{ path: 'in', bytes: 80 * 1024 ** 2 }]);
    const { createReadStream } = await import('node:fs');
    expect((await buffer(createReadStream(work.path('out')))).equals(files[0]?.content ?? Buffer.alloc(0))).toBe(true);
  });
});
