import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { leftAtLast, removeOwnCells, useOwnCells, type OwnCells } from '../support/own-cells.ts';
import { programRun, warmHost, warmReport, type WarmHost } from '../support/warm-host.ts';
import type { RunRequest } from '../../src/run-program.ts';
import type { WarmPool } from '../../src/warm-pool.ts';

vi.mock(import('../../src/cell-host.ts'), async (original) => {
  const { ownHost } = await import('../support/own-cells.ts');
  return ownHost(await original());
});

const HOST_NETWORK: Pick<RunRequest, 'network'> = { network: { mode: 'host', proxies: {} } };

/** Two sockets of the host, whose name can be said by whoever is in its network: HOST of test/support/packages/tries_sockets.py. */
const ABSTRACT = `
use Socket;
my $name = pack_sockaddr_un("\\0rootcellar-test-of-the-host");
my ($stream, $datagrams);
socket($stream, AF_UNIX, SOCK_STREAM, 0) && bind($stream, $name) && listen($stream, 9) or die $!;
socket($datagrams, AF_UNIX, SOCK_DGRAM, 0) && bind($datagrams, $name) or die $!;
$| = 1; print "ready\\n"; <STDIN>;`;

describe.skipIf(CANNOT_SANDBOX)('packages that a zygote in the host’s network imports', () => {
  let cells: OwnCells;
  let host: WarmHost;
  let pool: WarmPool;
  let listener: ChildProcess;

  beforeAll(async () => {
    cells = useOwnCells(1_860_000_000);
    host = await warmHost();
    listener = spawn('perl', ['-e', ABSTRACT], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (listener.stdout !== null) await once(listener.stdout, 'data');
  });
  afterAll(async () => {
    listener.stdin?.end();
    await host[Symbol.asyncDispose]();
    removeOwnCells(cells);
  });
  afterEach(async () => {
    await pool.close();
    const left = await leftAtLast(cells);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  });

  const CODE = 'import tries_sockets\nprint(tries_sockets.AT_IMPORT)\nprint(tries_sockets.done())';

  it.each([
    ['by the profile', [], ['tcp', 'udp']],
    // What is allowed for runs, layers other than their filter still narrow: there are no addresses for TCP, and nobody of the host.
    [
      'by a recipe that allows more',
      ['bind', 'listen', 'socketpair', 'setsockopt'],
      ['tcp', 'udp', 'udp port', 'listen', 'broadcast', 'priority of packets'],
    ],
  ])('may do there what runs may, %s', async (_, allow, expected) => {
    const syscalls = { profile: 'python', allow, deny: [] };
    const request = programRun(host.image({ preimport: ['tries_sockets'], syscalls }), CODE, HOST_NETWORK);
    pool = host.pool();
    await pool.prepare(request);
    const warm = await warmReport(pool, request);
    const zygote = pool.state()[0]?.zygote;
    expect([zygote?.forks, zygote?.failure]).toEqual([expect.toSatisfy((count) => count > 0), undefined]);
    await pool.close();
    const cold = await warmReport(pool, request);
    expect([warm.time.start, cold.time.start]).toEqual(['warm', 'cold']);
    const both = `${JSON.stringify(expected)}\n`.replaceAll('"', "'").replaceAll(',', ', ').repeat(2);
    expect({ warm: warm.stdout, cold: cold.stdout }).toEqual({ warm: both, cold: both });
  });

  it.each([
    ['keeps_connection', 'a zygote: cannot be had (descriptors)'],
    ['keeps_listener', 'a zygote: has forked nothing (the step `anomaly` failed)'],
    ['keeps_thread', 'a zygote: cannot be had (threads)'],
    ['keeps_process', 'a zygote: cannot be had (processes)'],
  ])('leave nothing there: %s', async (name, failure) => {
    const syscalls = { profile: 'python', allow: ['listen'], deny: [] };
    const image = host.image({ preimport: [name], syscalls });
    const request = programRun(image, `if 0: import ${name}\nprint("fine")`, HOST_NETWORK);
    pool = host.pool();
    await pool.prepare(request);
    expect(await warmReport(pool, request)).toMatchObject({ status: 'ok', stdout: 'fine\n' });
    expect(pool.state()[0]?.zygote).toMatchObject({ failure });
  });
});
