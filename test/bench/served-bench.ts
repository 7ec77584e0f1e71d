import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import autocannon, { type Result } from 'autocannon';
import { COMMAND } from '../support/command.ts';

/** `rootcellar serve`, a process of its own. */
export interface ServedBench extends AsyncDisposable {
  /** Resident memory of the service's own process, in bytes. */
  readonly memory: () => number;
  /** Open descriptors of the same. */
  readonly descriptors: () => number;
  /** One run of Python; milliseconds until the whole answer is there. Throws for any other answer than one of success. */
  readonly run: (code: string) => Promise<number>;
  /** One run of Python, and where its time went; all in milliseconds. */
  readonly parts: (code: string) => Promise<RunParts>;
  /** So many connections that ask for runs of this code for some seconds: as soon as they are answered, or so often a second. */
  readonly load: (code: string, connections: number, seconds: number, overallRate?: number) => Promise<Result>;
}

/** Of the time from before a request is sent until its answer is there, in milliseconds. */
export interface RunParts {
  readonly whole: number;
  /** Outside of the service's own measure: both sockets, HTTP, the key, JSON. */
  readonly http: number;
  /** Taking a cell, handing it the program, ending it, and seeing that nothing is left. */
  readonly cell: number;
  /** From the moment when the interpreter has the program until it has ended. */
  readonly program: number;
}

const KEY = 'benchmark';

/** `image` in the store of `environment`; settles when cells wait for runs. */
export async function serveForBench(
  image: string,
  environment: Readonly<Record<string, string | undefined>>,
  flags: readonly string[] = [],
): Promise<ServedBench> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn(process.execPath, [COMMAND, 'serve', image, '--listen', `127.0.0.1:${port}`, ...flags], {
    env: { ...environment, ROOTCELLAR_API_KEY: KEY },
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => {
    server.once('close', () => resolve());
  });
  const headers = { 'x-api-key': KEY, 'content-type': 'application/json' };
  const run = async (code: string): Promise<number> => {
    const { text, ms } = await post('/v1/sandbox/run', bodyOf(code));
    if (!text.startsWith('{"code":0,') || !text.includes('"exit_code":0')) throw new Error(`not run: ${text}`);
    return ms;
  };
  const parts = async (code: string): Promise<RunParts> => {
    const { text, ms: whole } = await post('/v1/run', JSON.stringify({ code }));
    const { report } = Object(JSON.parse(text));
    const { runs } = Object(await (await fetch(`${url}/v1/status`, { headers })).json());
    const inside = Number(runs[0].total_ms);
    const program = Number(report.time.wall_ms);
    return { whole, http: whole - inside, cell: inside - program, program };
  };
  await waitFor(async () => (await fetch(`${url}/v1/status`, { headers }).catch(() => undefined))?.ok === true);
  await waitFor(async () => isWarm(await (await fetch(`${url}/v1/status`, { headers })).json()));
  const post = poster(port, headers);
  return {
    memory: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024,
    descriptors: () => readdirSync(`/proc/${server.pid}/fd`).length,
    run,
    parts,
    load: async (code, connections, seconds, overallRate) =>
      autocannon({
        url: `${url}/v1/sandbox/run`,
        method: 'POST',
        headers,
        body: bodyOf(code),
        connections,
        duration: seconds,
        ...(overallRate === undefined ? {} : { overallRate }),
        timeout: 60,
      }),
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGTERM');
      await ended;
    },
  };
}

interface Answered {
  readonly text: string;
  readonly ms: number;
}

/** A client on one connection that does little besides: those of Node.js take as long as the service. One request at a time. */
function poster(
  port: number,
  headers: Readonly<Record<string, string>>,
): (path: string, body: string) => Promise<Answered> {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const connection = connect(port, '127.0.0.1').setNoDelay(true).unref();
  return async (path, body) => {
    const start = performance.now();
    connection.write(
      `POST ${path} HTTP/1.1\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    let answer = '';
    for (;;) {
      const [chunk]: unknown[] = await once(connection, 'data');
      answer += String(chunk);
      const [head = '', ...rest] = answer.split('\r\n\r\n');
      const text = rest.join('\r\n\r\n');
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
      if (Buffer.byteLength(text) >= length) return { text, ms: performance.now() - start };
    }
  };
}

/** As Dify sends it, but that it asks for a network, which these recipes have not. */
function bodyOf(code: string): string {
  return JSON.stringify({ language: 'python3', code, preload: '', enable_network: false });
}

function isWarm(status: unknown): boolean {
  const pools: unknown = typeof status === 'object' && status !== null && 'pools' in status ? status.pools : [];
  const all: readonly unknown[] = Array.isArray(pools) ? pools : [];
  return all.length > 0 && all.every((pool) => JSON.stringify(pool).match(/"size":(\d+),"free":\1\b/) !== null);
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await setTimeout(50);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
