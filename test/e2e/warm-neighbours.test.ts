import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { leftAtLast, removeOwnCells, useOwnCells, type OwnCells } from '../support/own-cells.ts';
import { programRun, warmHost, warmReport, type WarmHost } from '../support/warm-host.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import type { WarmPool, WarmPoolSettings } from '../../src/warm-pool.ts';

vi.mock(import('../../src/cell-host.ts'), async (original) => {
  const { ownHost } = await import('../support/own-cells.ts');
  return ownHost(await original());
});

describe.skipIf(CANNOT_SANDBOX)('runs whose cells one zygote forks', () => {
  let cells: OwnCells;
  let host: WarmHost;

  beforeAll(async () => {
    cells = useOwnCells(1_850_000_000);
    host = await warmHost();
  });
  afterAll(async () => {
    const left = await leftAtLast(cells);
    await host[Symbol.asyncDispose]();
    removeOwnCells(cells);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  });

  async function withPool<T>(settings: Partial<WarmPoolSettings>, use: (pool: WarmPool) => Promise<T>): Promise<T> {
    const pool = host.pool(settings);
    try {
      return await use(pool);
    } finally {
      await pool.close();
    }
  }

  it('Z10 get the policy, limits and network of their own image, whoever ran before', async () => {
    const code = `
import os, resource, socket
def attempt(name, what):
    try: print(name, what())
    except OSError as error: print(name, error.strerror)
attempt("priority", lambda: type(os.getpriority(os.PRIO_PROCESS, 0)).__name__)
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9)))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])`;
    const strict = host.image({ syscalls: { profile: 'python', allow: [], deny: ['getpriority'] } });
    const plain = host.image();
    await withPool({ kinds: 8, size: 1 }, async (pool) => {
      const requests = {
        plain: programRun(plain, code),
        strict: programRun(strict, code),
        few: programRun(plain, code, { limits: { openFiles: 77 } }),
        networked: programRun(plain, code, { network: { mode: 'host', proxies: {} } }),
      };
      for (const request of Object.values(requests)) await pool.prepare(request);
      // In the host's network, too.
      expect(pool.state().map(({ zygote }) => `${zygote?.forks} ${zygote?.failure}`)).toEqual(
        Array(4).fill('1 undefined'),
      );
      for (const _ of [1, 2]) {
        const told: Record<string, unknown> = {};
        for (const [name, request] of Object.entries(requests)) {
          await pool.prepare(request);
          const { stdout, time, denied } = await warmReport(pool, request);
          expect(time.start).toBe('warm');
          told[name] = [stdout?.replaceAll('\n', ', '), denied.map(({ syscall }) => syscall)];
        }
        expect(told).toEqual({
          plain: ['priority int, udp Operation not permitted, 256, ', ['socket']],
          strict: ['priority Operation not permitted, udp Operation not permitted, 256, ', ['getpriority', 'socket']],
          few: ['priority int, udp Operation not permitted, 77, ', ['socket']],
          networked: ['priority int, udp None, 256, ', []],
        });
      }
    });
  });

  it('Z13 learn by one layout of memory nothing of runs of the next zygote', async () => {
    const code =
      'import ctypes, sys\nprint(hex(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value), hex(id(sys)))';
    const request = programRun(host.image(), code);
    const layouts = await withPool({ size: 1, mostForks: 3 }, async (pool) => {
      const found: string[] = [];
      for (let index = 0; index < 9; index += 1) {
        await pool.prepare(request);
        const report = await warmReport(pool, request);
        expect([report.status, report.time.start]).toEqual(['ok', 'warm']);
        found.push(report.stdout ?? '');
      }
      expect(pool.state()[0]?.zygote?.recycled.forks).toBeGreaterThanOrEqual(2);
      return found;
    });
    const counts = [...new Set(layouts)].map((one) => layouts.filter((other) => other === one).length);
    // Those of one zygote have the same, which is why it does not live forever.
    expect(counts.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...counts)).toBeLessThanOrEqual(3);
  });

  it('Z14 leave each other the same share of what the kernel counts by user', async () => {
    const code = `
import os, select, signal, socket, sys, threading, time
def most(name, make, end, limit=300):
    kept = []
    try:
        while len(kept) < limit: kept.append(make())
    except (OSError, RuntimeError) as error:
        print(name, len(kept), getattr(error, "errno", None) or type(error).__name__)
    else: print(name, len(kept))
    for one in kept: end(one)
def thread():
    one = threading.Thread(target=release.wait, daemon=True); one.start(); return one
release = threading.Event()
most("threads", thread, id)
most("pipes", os.pipe, lambda ends: [os.close(end) for end in ends])
def full():
    one, two = socket.socketpair(); one.setblocking(False)
    try:
        while True: one.send(b"x" * 65536)
    except BlockingIOError: return one, two
most("sockets", full, lambda ends: [end.close() for end in ends], 40)
kept = [full() for _ in range(20)]
print("holding", flush=True)
sys.stdin.read()
release.set()`;
    const request = programRun(host.image(), code);
    await withPool({ size: 4, makers: 2 }, async (pool) => {
      await pool.prepare(request);
      const alone = (await warmReport(pool, request)).stdout;
      expect(alone).toMatch(/^threads 3\d \w+\npipes 12\d 24\nsockets 40\nholding\n$/);
      await pool.prepare(request);
      const together = await Promise.all([1, 2, 3, 4].map(() => heldTogether(pool, code)));
      expect(together.map(({ stdout, time }) => `${time.start} ${stdout}`)).toEqual(Array(4).fill(`warm ${alone}`));
    });
  });

  /** All that are started hold what they have until the last one has it, and a little longer. */
  async function heldTogether(pool: WarmPool, code: string): Promise<RunReport> {
    const held = code.replace('sys.stdin.read()', 'time.sleep(1.5)');
    return warmReport(pool, programRun(host.image(), held));
  }
});
