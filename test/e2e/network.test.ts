import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { runFolder } from '../../src/cell-host.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { startProgram, type RunningProgram, type RunRequest } from '../../src/run-program.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { COMMAND, pythonImage, rootcellar, sharedHome } from '../support/command.ts';
import { toyCertificate } from '../support/toy-certificate.ts';

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : 'arm64';
const LARGE = 8 * 1024 ** 2;

/** Whether a process has started a launcher, and that has started its cell: nothing else that it starts has children. */
function hasCell(pid: number): boolean {
  return childrenOf(pid).some((child) => childrenOf(child).length > 0);
}

/** None of a process that has just ended. */
function childrenOf(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children
      .split(' ')
      .filter((child) => child !== '')
      .map(Number);
  } catch {
    return [];
  }
}

function proxyFolders(): readonly string[] {
  return readdirSync(runFolder()).filter((name) => name.startsWith('proxy-'));
}

function allow(...hosts: readonly string[]): Pick<RunRequest, 'network'> {
  return { network: { mode: 'proxy', allow: hosts } };
}

describe.skipIf(CANNOT_SANDBOX)('a run and its network', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-network-'));
  const open = new Set<Socket>();
  const servers: Server[] = [];
  let image: Image;
  let store: Store;
  let authority: string;
  let [http, https, echo, endless] = [0, 0, 0, 0];

  async function listening(server: Server): Promise<number> {
    server.on('connection', (socket: Socket) => {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
    });
    servers.push(server);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  beforeAll(async () => {
    await pythonImage();
    store = await Store.open({ home: sharedHome() });
    image = await findImage(store, 'python', ARCHITECTURE);
    const certificate = toyCertificate(folder);
    authority = readFileSync(certificate.authority, 'utf8');
    http = await listening(createHttpServer((request, response) => void response.end(`hello ${request.url}`)));
    https = await listening(createHttpsServer(certificate.tls, (_, response) => void response.end('hello tls')));
    echo = await listening(createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)));
    endless = await listening(
      createHttpServer((_, response) => {
        const more = (): void => void (response.write(Buffer.alloc(65_536)) ? setImmediate(more) : undefined);
        response.on('drain', more);
        more();
      }),
    );
  });

  afterAll(async () => {
    for (const socket of open) socket.destroy();
    for (const server of servers) server.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  function start(code: string, own: Partial<RunRequest>): Promise<RunningProgram> {
    const request: RunRequest = {
      image,
      program: { kind: 'code', code: `import sys\n${code}` },
      arguments: [],
      stdio: 'capture',
      limits: { wallMs: 60_000 },
      ...own,
    };
    return startProgram(request, {
      store,
      environment: { PROXY_PASSWORD: 'hunter2' },
      hostArchitecture: ARCHITECTURE,
      signal: new AbortController().signal,
      progress: noProgress,
      now: Math.floor(Date.now() / 1000),
    });
  }

  async function run(code: string, own: Partial<RunRequest>): Promise<RunReport> {
    const report = await (await start(code, own)).report;
    expect(proxyFolders()).toEqual([]);
    return report;
  }

  it('reaches allowed hosts by what programs use, and no other', async () => {
    const code = `
import httpx, requests, ssl, urllib.error, urllib.request
http, https = sys.argv[1:3]
print(urllib.request.urlopen(f"http://127.0.0.1:{http}/urllib").read())
print(requests.get(f"http://127.0.0.1:{http}/requests").text)
print(httpx.get(f"http://127.0.0.1:{http}/httpx").text)
trust = ssl.create_default_context(cadata=sys.argv[3])
trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
print(urllib.request.urlopen(f"https://127.0.0.1:{https}/", context=trust).read())
try:
    urllib.request.urlopen("http://example.org/")
except urllib.error.HTTPError as error:
    print(error.code, error.read())
try:
    urllib.request.urlopen("https://example.org/")
except urllib.error.URLError as error:
    print(error)
`;
    const report = await run(code, {
      ...allow(`127.0.0.1:${http}`, `127.0.0.1:${https}`),
      arguments: [`${http}`, `${https}`, authority],
    });
    expect(report.stderr).toBe('');
    expect(report.stdout).toBe(
      [
        "b'hello /urllib'\nhello /requests\nhello /httpx\nb'hello tls'\n",
        "403 b'rootcellar: this host is not allowed\\n'\n",
        '<urlopen error Tunnel connection failed: 403 Forbidden>\n',
      ].join(''),
    );
    expect(report.denied).toEqual([]);
    expect(report.events).toEqual([
      { kind: 'network_contacted', host: '127.0.0.1', port: http, count: 3 },
      { kind: 'network_contacted', host: '127.0.0.1', port: https, count: 1 },
      { kind: 'network_refused', host: 'example.org', port: 80, reason: 'host_not_allowed', count: 1 },
      { kind: 'network_refused', host: 'example.org', port: 443, reason: 'host_not_allowed', count: 1 },
    ]);
    expect(report.isolation.layers).toContain('network-namespace');
  });

  it('has no other way out than the proxy', async () => {
    const code = `
import errno, fcntl, socket
def attempt(address):
    try:
        socket.create_connection(address, 5)
        print("connected", address)
    except OSError as error:
        print(errno.errorcode[error.errno])
attempt(("8.8.8.8", 3128))
attempt(("127.0.0.1", int(sys.argv[1])))
attempt(("8.8.8.8", 443))
def is_open(number):
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
        return True
    except OSError:
        return False
print([number for number in range(4096) if is_open(number)])
`;
    const report = await run(code, { ...allow('*', `127.0.0.1:${http}`), arguments: [`${http}`] });
    // By Landlock where it knows TCP, else because nobody is there.
    expect(report.stdout).toMatch(/^ENETUNREACH\n(?:EACCES|ECONNREFUSED)\n(?:EACCES|ENETUNREACH)\n\[0, 1, 2\]\n$/);
  });

  it('passes bytes and ends of streams both ways, in tunnels of HTTP and of SOCKS5', async () => {
    const code = `
import hashlib, socket, threading
port, size = int(sys.argv[1]), int(sys.argv[2])
def http(one):
    one.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n\\r\\n" % (port, port))
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += one.recv(1)
def socks(one):
    one.sendall(b"\\x05\\x01\\x00\\x05\\x01\\x00\\x01\\x7f\\0\\0\\x01" + port.to_bytes(2, "big"))
    got = b""
    while len(got) < 12:
        got += one.recv(12 - len(got))
for greet in (http, socks):
    one = socket.create_connection(("127.0.0.1", 3128))
    greet(one)
    def send():
        for n in range(size // 65536):
            one.sendall(bytes([n % 256]) * 65536)
        one.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send)
    thread.start()
    total, digest = 0, hashlib.sha256()
    while chunk := one.recv(65536):
        total += len(chunk)
        digest.update(chunk)
    thread.join()
    wanted = hashlib.sha256(b"".join(bytes([n % 256]) * 65536 for n in range(size // 65536)))
    print(total == size, digest.digest() == wanted.digest())
`;
    const report = await run(code, { ...allow(`127.0.0.1:${echo}`), arguments: [`${echo}`, `${LARGE}`] });
    expect(report.stderr).toBe('');
    expect(report.stdout).toBe('True True\nTrue True\n');
  });

  it('looks a name up once, and never connects with a private address that it stands for', async () => {
    const answers = new Map([
      ['first.example', ['127.0.0.1']],
      ['mixed.example', ['10.0.0.1', '169.254.169.254', '::1', 'fd00:ec2::254']],
    ]);
    const asked: string[] = [];
    const code = `
import urllib.error, urllib.request
for name in ("first.example", "mixed.example", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
    try:
        print(urllib.request.urlopen(f"http://{name}:{sys.argv[1]}/").read())
    except urllib.error.HTTPError as error:
        print(error.code)
`;
    const report = await run(code, {
      ...allow(`*:${http}`),
      arguments: [`${http}`],
      lookup: (name) => {
        asked.push(name);
        return Promise.resolve(answers.get(name) ?? []);
      },
    });
    expect(report.stdout).toBe('403\n'.repeat(5));
    expect(asked).toEqual(['first.example', 'mixed.example']);
    expect(report.events.map((event) => ('reason' in event ? event.reason : event.kind))).toEqual([
      'private_address',
      'private_address',
      'private_address',
    ]);
  });

  it('holds sixteen connections; others wait until one ends', async () => {
    const code = `
import socket, time
some = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(20)]
request = b"GET http://127.0.0.1:%s/ HTTP/1.0\\r\\n\\r\\n" % sys.argv[1].encode()
for one in some[:16]:
    one.sendall(request[:5])
for one in some[16:]:
    one.sendall(request)
    one.settimeout(0.5)
waiting = 0
for one in some[16:]:
    try:
        one.recv(1)
    except TimeoutError:
        waiting += 1
print(waiting)
for one in some[:16]:
    one.close()
for one in some[16:]:
    one.settimeout(20)
    text = b""
    while chunk := one.recv(4096):
        text += chunk
    print(text.endswith(b"hello /"))
`;
    const report = await run(code, { ...allow(`127.0.0.1:${http}`), arguments: [`${http}`] });
    expect(report.stderr).toBe('');
    expect(report.stdout).toBe(`4\n${'True\n'.repeat(4)}`);
  });

  it('leaves nothing when it is cancelled in the middle of a transfer', async () => {
    const cancel = new AbortController();
    const code = `
import urllib.request
answer = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/")
print(len(answer.read(1_000_000)), flush=True)
while answer.read(65536):
    pass
`;
    const running = await start(code, {
      ...allow(`127.0.0.1:${endless}`),
      arguments: [`${endless}`],
      cancel: cancel.signal,
    });
    await vi.waitUntil(() => open.size > 0, { timeout: 20_000 });
    cancel.abort();
    expect((await running.report).status).toBe('cancelled');
    await vi.waitUntil(() => open.size === 0, { timeout: 20_000 });
    expect(proxyFolders()).toEqual([]);
  });

  it('removes what the proxy of a killed process has left, and nothing of a living one', async () => {
    const [dead, living] = ['proxy-dead', 'proxy-living'].map((name) => join(runFolder(), name));
    if (dead === undefined || living === undefined) throw new Error('unreachable');
    for (const place of [dead, living]) mkdirSync(place, { recursive: true });
    const program = `require('net').createServer().listen(${JSON.stringify(join(dead, 'socket'))}, () => console.log('listening'))`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(join(living, 'socket'), resolve));
    const running = await start('pass', allow('example.org'));
    await running.report;
    expect(proxyFolders()).toEqual(['proxy-living']);
    server.close();
    rmSync(living, { recursive: true });
  });

  it('leaves nothing of the proxy when the process that runs it is killed', async () => {
    const words = ['run', 'python', '--allow-host', 'example.org', '-c', 'import time; time.sleep(50)'];
    const child = spawn(process.execPath, [COMMAND, ...words], {
      env: { ...process.env, ROOTCELLAR_HOME: sharedHome() },
      stdio: 'ignore',
    });
    await vi.waitUntil(() => proxyFolders().length === 1 && hasCell(child.pid ?? 0), { timeout: 30_000 });
    child.kill('SIGKILL');
    await expect.poll(proxyFolders, { timeout: 30_000 }).toEqual([]);
  });

  it('with `host` finds hosts by name as this machine does, in a cell that is read-only all the same', async () => {
    const code = `
import os, urllib.request
print(urllib.request.urlopen(f"http://localhost:{sys.argv[1]}/").read())
print(open("/etc/hosts").read() == sys.argv[2], open("/etc/resolv.conf").read() == sys.argv[3])
print(open("/etc/passwd").read()[:5])
for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/new"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.strerror)
print({name: value for name, value in os.environ.items() if "proxy" in name})
`;
    const files = ['/etc/hosts', '/etc/resolv.conf'].map((file) => readFileSync(file, 'utf8'));
    const proxies = { http: `http://user:\${PROXY_PASSWORD}@127.0.0.1:9`, noProxy: ['localhost'] };
    const report = await run(code, { network: { mode: 'host', proxies }, arguments: [`${http}`, ...files] });
    expect(report.stderr).toBe('');
    expect(report.stdout).toBe(
      [
        "b'hello /'\nTrue True\nroot:\n",
        'Permission denied\nPermission denied\n'.replaceAll('Permission denied', 'Read-only file system'),
        "Read-only file system\n{'http_proxy': 'http://user:hunter2@127.0.0.1:9', 'no_proxy': 'localhost'}\n",
      ].join(''),
    );
    const { stdout: _, ...told } = report;
    expect(JSON.stringify(told)).not.toContain('hunter2');
    expect(report.denied).toEqual([]);
    expect(report.isolation.layers).not.toContain('network-namespace');
    expect(report.isolation.layers).toEqual(expect.arrayContaining(['read-only-root', 'seccomp']));
  });

  it('without a network has none, whatever the caller’s own variables say', async () => {
    const code = 'import os; print(sorted(name for name in os.environ if "proxy" in name.lower()))';
    expect((await run(code, {})).stdout).toBe('[]\n');
  });

  it('`run --allow-host` lets one run reach a host', async () => {
    const code = 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read())';
    const address = `http://127.0.0.1:${http}/`;
    const words = (...flags: readonly string[]): readonly string[] => [
      'run',
      'python',
      ...flags,
      '-c',
      code,
      '--',
      address,
    ];
    const allowed = await rootcellar(words('--allow-host', `127.0.0.1:${http}`));
    expect([allowed.status, allowed.stdout]).toEqual([0, "b'hello /'\n"]);
    const shared = await rootcellar(words('--network', 'host'));
    expect([shared.status, shared.stdout]).toEqual([0, "b'hello /'\n"]);
    expect((await rootcellar(words())).status).toBe(1);
    const refused = await rootcellar(words('--network', 'proxy'));
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('error[E_POLICY]')]);
    expect((await rootcellar(words('--network', 'all'))).stderr).toContain('error[E_USAGE]');
  });
});
