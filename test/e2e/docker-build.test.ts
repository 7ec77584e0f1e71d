import { createServer } from 'node:net';
import { once } from 'node:events';
import { chmod, chown, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { bind, runBundle, startBundle, type BundleRequest } from '../support/bundle.ts';
import { copyRecipe, type Ended } from '../support/command.ts';
import {
  BASE,
  buildFault,
  containerBuilds,
  type BuiltImage,
  type ContainerBuilds,
} from '../support/container-builds.ts';
import {
  CRIO_CAPABILITIES,
  DOCKER_CAPABILITIES,
  dockerLike,
  type ContainerSettings,
} from '../support/container-config.ts';
import { dockerSeccomp } from '../support/docker-seccomp.ts';
import { liftedContainer, shippedSeccomp } from '../support/lifted-container.ts';

const ROOTCELLAR = 'localhost/rootcellar';
const DOCKER = dockerLike(DOCKER_CAPABILITIES);
const CRIO = dockerLike(CRIO_CAPABILITIES);
/** A pod of the restricted standard. */
const RESTRICTED: ContainerSettings = {
  ...dockerLike([]),
  uid: 1_800_200_000,
  noNewPrivileges: true,
  seccomp: dockerSeccomp([]),
};

/** Made of the stage's own files, so that no lockfile can come with it. */
const HOST_RECIPE = `name: mine
architectures: [amd64]
base: { host: { python_path: /usr/bin/python3, python_lib_path: auto } }
trim: [tests, docs]
sandbox: { minimum_tier: D, limits: { memory: 64MiB, wall: 2s } }
`;

interface Held {
  readonly builds: ContainerBuilds;
  readonly context: string;
  /** Images by name, with the files of a container. */
  readonly images: Map<string, { readonly image: BuiltImage; readonly root: string }>;
}

const held: { at?: Held } = {};

function at(): Held {
  if (held.at === undefined) throw new Error('nothing was built');
  return held.at;
}

const CANNOT = CANNOT_SANDBOX || buildFault() !== undefined;

describe.skipIf(CANNOT)('Dockerfiles', () => {
  beforeAll(async () => {
    const builds = await containerBuilds();
    const context = join(builds.folder, 'context');
    held.at = { builds, context, images: new Map() };
    await mkdir(join(context, 'mine'), { recursive: true });
    await copyRecipe('python', join(context, 'python'), { locked: true });
    await writeFile(join(context, 'mine', 'recipe.yaml'), HOST_RECIPE);
    const service = ['--file', 'images/service.Dockerfile', '--build-arg', `NODE=${BASE}`, '--format', 'docker'];
    await builds.build(ROOTCELLAR, service);
    await keep('service', ROOTCELLAR);
    await debianImage('localhost/debian', 'amd64');
    await keep('debian', 'localhost/debian');
    const mine = ['--file', 'images/host.Dockerfile', '--build-arg', 'RECIPE=mine', '--build-arg', `PYTHON=${BASE}`];
    await builds.build('localhost/host', [...mine, '--build-arg', `ROOTCELLAR=${ROOTCELLAR}`], context);
    await keep('host', 'localhost/host');
  });
  afterAll(async () => held.at?.builds[Symbol.asyncDispose]());

  describe('images/debian.Dockerfile', () => {
    it('gives the same layers again', async () => {
      const again = await debianImage('localhost/again', 'amd64');
      expect(again.diffIds).toHaveLength(2);
      expect(again.diffIds).toEqual(at().images.get('debian')?.image.diffIds);
    });

    it('has the image’s files, the launcher, and nothing else', async () => {
      const { root } = taken('debian');
      expect((await readdir(root)).toSorted()).toEqual(['.rootcellar', 'rootfs', 'run', 'tmp']);
      expect((await readdir(join(root, '.rootcellar'))).toSorted()).toEqual(['cell', 'plans']);
      expect(await machineOf(join(root, '.rootcellar/cell'))).toBe(62);
    });

    it('gives arm64 without an emulator', async () => {
      const image = await debianImage('localhost/arm64', 'arm64');
      expect(image.architecture).toBe('arm64');
      const root = await at().builds.mount('localhost/arm64');
      expect(await machineOf(join(root, '.rootcellar/cell'))).toBe(183);
      expect(await machineOf(join(root, 'rootfs/0/usr/bin/python3.13'))).toBe(183);
    });
  });

  describe('a container of the bare image, as Docker starts it', () => {
    it('runs text, stdin and files, with arguments, and ends as they do', async () => {
      const code = await inContainer('debian', { words: ['-c', 'import sys; print(sys.argv[1:])', 'a', '--b'] });
      expect(code).toEqual({ status: 0, stdout: "['a', '--b']\n", stderr: '' });
      const stdin = await inContainer('debian', {
        words: ['-', 'a'],
        input: 'import sys; sys.exit(len(sys.argv) + 5)',
      });
      expect(stdin).toEqual({ status: 7, stdout: '', stderr: '' });
      const file = join(at().context, 'hello.py');
      await writeFile(file, 'import sys\nprint(__file__, sys.argv[1:], sys.stdin.read())');
      const mounts = [bind(file, '/work/hello.py')];
      const ended = await inContainer('debian', { words: ['/work/hello.py', '--', '-x'], mounts, input: 'typed' });
      expect(ended).toEqual({ status: 0, stdout: "/run/program/hello.py ['-x'] typed\n", stderr: '' });
    });

    it('names denied calls, and says which layers there were', async () => {
      const words = ['--report', '-', '-c', 'import socket; socket.socket()'];
      const { status, stderr } = await inContainer('debian', { words });
      expect(status).toBe(1);
      expect(stderr).toContain('cell: denied system calls: socket (amd64 41) × 1; `sandbox.syscalls.allow`');
      expect(stderr).toMatch(/^status error\ntier C\nexit 1\ndenied 1 socket \(amd64 41\)$/m);
      expect(stderr).toMatch(/^layer chroot$/m);
      expect(stderr).toMatch(/^missing network-namespace$/m);
      expect(stderr).toMatch(/^missing cgroup-limits$/m);
      expect(stderr).toMatch(/^done$/m);
    });

    it('shows a program nothing of the container, whatever is mounted there', async () => {
      const file = join(at().context, 'token');
      await writeFile(file, 'secret');
      const mounts = ['/run/secrets/token', '/etc/token', '/usr/token', '/tmp/token'].map((path) => bind(file, path));
      const ended = await inContainer('debian', { words: ['-c', LOOK_AROUND], mounts, environment: { KEY: 'secret' } });
      expect(ended).toEqual({ status: 0, stdout: 'False False False\n', stderr: '' });
    });

    it('holds limits of time and memory', async () => {
      const time = await inContainer('host', { words: ['-c', 'import time; time.sleep(60)'] });
      expect(time).toMatchObject({ status: 124, stderr: 'cell: time limit: ended after 2 s (`wall`)\n' });
      const memory = await inContainer('host', {
        words: ['-c', 'x = b"x" * (200 << 20)\nimport time; time.sleep(60)'],
      });
      expect(memory).toMatchObject({ status: 137, stderr: expect.stringContaining('more than 64 MiB (`memory`)') });
    });

    it('says what is wrong with its words', async () => {
      expect(await inContainer('debian', { words: [] })).toMatchObject({ status: 2, stderr: NO_PROGRAM });
      const missing = await inContainer('debian', { words: ['/nowhere.py'] });
      expect(missing).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('error[E_PROGRAM_NOT_FOUND] `/nowhere'),
      });
      const script = await inContainer('debian', {
        words: ['/x.js'],
        mounts: [bind(join(at().context, 'token'), '/x.js')],
      });
      expect(script).toMatchObject({ status: 1, stderr: expect.stringContaining('has nothing to run this with') });
    });

    it('runs again where it was killed before, and one program at a time', async () => {
      const words = ['-c', 'import os, time; os.makedirs("a/b", 0o700); print("there", flush=True); time.sleep(5)'];
      const first = await startBundle({ settings: DOCKER, ...taken('debian'), words });
      await first.said('there');
      const second = await inContainer('debian', { words: ['-c', 'print(1)'] });
      expect(second).toMatchObject({ status: 125, stdout: '', stderr: expect.stringContaining('one run at a time') });
      await first[Symbol.asyncDispose]();
      const third = await inContainer('debian', { words: ['-c', 'import os; print(os.listdir("."))'] });
      expect(third).toEqual({ status: 0, stdout: '[]\n', stderr: '' });
    });

    it('takes a plan from nobody but root', async () => {
      const plan = join(taken('debian').root, '.rootcellar/plans/C');
      await chmod(plan, 0o666);
      const ended = await inContainer('debian', { words: ['-c', 'print(1)'] });
      await chmod(plan, 0o444);
      expect(ended).toMatchObject({
        status: 125,
        stdout: '',
        stderr: expect.stringContaining('is no prepared plan (EPERM)'),
      });
    });
  });

  describe('in other containers', () => {
    it('is of tier A with the settings of images/compose.yaml, on a read-only root, too', async () => {
      const words = ['--report', '-', '-c', 'print(1)'];
      const tmpfs = { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] };
      const own = { settings: liftedContainer(), words, isReadOnly: true, mounts: [tmpfs] };
      const { status, stdout, stderr } = await inContainer('debian', own);
      expect([status, stdout]).toEqual([0, '1\n']);
      expect(stderr).toMatch(/^status ok\ntier A\n/);
      expect(stderr).toMatch(/^layer read-only-root$/m);
    });

    it('is of tier B where user namespaces are allowed', async () => {
      const settings = { ...RESTRICTED, seccomp: shippedSeccomp() };
      const ended = await inContainer('debian', { settings, words: ['--report', '-', '-c', 'print(1)'] });
      expect(ended).toMatchObject({ status: 0, stdout: '1\n', stderr: expect.stringMatching(/^status ok\ntier B\n/) });
    });

    it('is of tier D in a restricted pod, where the recipe accepts that', async () => {
      const file = join(at().context, 'token');
      const mounts = [bind(file, '/run/secrets/token'), bind(file, '/etc/token')];
      const words = ['--report', '-', '-c', LOOK_AROUND];
      const ended = await inContainer('host', { settings: RESTRICTED, words, mounts });
      expect(ended.stdout).toBe('False False False\n');
      expect(ended).toMatchObject({ status: 0, stderr: expect.stringMatching(/^status ok\ntier D\n/) });
    });

    it.each([
      ['a restricted pod', RESTRICTED],
      ['CRI-O', CRIO],
    ])('runs nothing in %s where it does not', async (_, settings) => {
      const ended = await inContainer('debian', { settings, words: ['-c', 'print(1)'] });
      expect(ended).toMatchObject({ status: 125, stdout: '', stderr: expect.stringContaining('lacks chroot') });
      expect(ended.stderr).toContain('a cell: none of tier C or better can be made here');
    });

    it('runs nothing in tier C where the container cannot be written', async () => {
      const ended = await inContainer('debian', { words: ['-c', 'print(1)'], isReadOnly: true });
      expect(ended).toMatchObject({
        status: 125,
        stdout: '',
        stderr: expect.stringContaining('(EROFS); nothing was run'),
      });
    });
  });

  describe('images/service.Dockerfile', () => {
    it.each([
      ['as Docker starts it', DOCKER, []],
      ['in a restricted pod', RESTRICTED, ['--minimum-tier', 'D']],
    ] as const)('stands in for dify-sandbox, %s', async (_, settings, words) => {
      const port = await freePort();
      await using service = await startService(port, settings, words);
      const url = `http://127.0.0.1:${port}`;
      await expect.poll(() => answer(`${url}/ready`), { timeout: 120_000, interval: 500 }).toContain('ready');
      expect(await answer(`${url}/health`)).toBe('"ok"');
      const request = { language: 'python3', code: 'print("<hi>")', preload: '', enable_network: false };
      const headers = { 'x-api-key': 'key-of-this-test', 'content-type': 'application/json' };
      const body = JSON.stringify(request);
      const told = await fetch(`${url}/v1/sandbox/run`, { method: 'POST', headers, body });
      const text = await told.text();
      // In tier D a link of Debian's Python leads to the container's own /etc, and Python says that it may not.
      const heard =
        settings === DOCKER
          ? text
          : text.replace(/"stderr":"Error in sitecustomize.*?","error"/, '"stderr":"","error"');
      expect(heard).toBe(
        '{"code":0,"message":"success","data":{"stdout":"\\u003chi\\u003e\\n","stderr":"","error":"","exit_code":0}}',
      );
      service.kill('SIGTERM');
      expect(await service.ended).toMatchObject({ status: 0 });
    });

    it('does not start without a key of its own', async () => {
      const { status, stderr } = await inContainer('service', { words: taken('service').image.command });
      expect([status, stderr]).toEqual([1, expect.stringContaining('error[E_UNSAFE_LISTEN]')]);
    });
  });
});

const NO_PROGRAM = 'error[E_USAGE] run: there is no program to run\n  hint: cell run --help\n';

/** Whether the container's secret is anywhere; its plans; its variables. */
const LOOK_AROUND = `
import os
def can(path):
    try:
        return open(path).read() == 'secret'
    except OSError:
        return False
def has_plans():
    try:
        return bool(os.listdir('/.rootcellar/plans'))
    except OSError:
        return False
secrets = ['/run/secrets/token', '/etc/token', '/usr/token', '/tmp/token']
print(any(map(can, secrets)), has_plans(), 'KEY' in os.environ)
`;

async function debianImage(tag: string, architecture: string): Promise<BuiltImage> {
  const { builds, context } = at();
  const platform = ['--platform', `linux/${architecture}`, '--build-arg', 'BUILDPLATFORM=linux/amd64'];
  const words = ['--file', 'images/debian.Dockerfile', '--layers', '--no-cache', '--timestamp', '0'];
  const given = ['--build-arg', `ROOTCELLAR=${ROOTCELLAR}`, '--build-arg', 'RECIPE=python'];
  await builds.build(tag, [...words, ...platform, ...given], context);
  return builds.inspect(tag);
}

async function keep(name: string, tag: string): Promise<void> {
  const { builds, images } = at();
  images.set(name, { image: await builds.inspect(tag), root: await builds.mount(tag) });
}

function taken(name: string): { readonly image: BuiltImage; readonly root: string } {
  const found = at().images.get(name);
  if (found === undefined) throw new Error(`no image ${name}`);
  return found;
}

function inContainer(
  name: string,
  request: Partial<BundleRequest> & { readonly words: readonly string[]; readonly input?: string },
): Promise<Ended> {
  return runBundle({ settings: DOCKER, ...taken(name), ...request });
}

/** `e_machine` of an ELF file. */
async function machineOf(path: string): Promise<number> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0);
  return buffer.readUInt16LE(18);
}

const CONFIG = `app: { port: 8194, key: '' }
max_workers: 2
max_requests: 10
worker_timeout: 5
enable_network: True
`;

/** With `conf` and `dependencies` mounted, and a volume for the store. */
async function startService(
  port: number,
  settings: ContainerSettings,
  words: readonly string[],
): ReturnType<typeof startBundle> {
  const folder = join(at().context, `volumes-${settings.uid}`);
  for (const name of ['conf', 'dependencies', 'store']) await mkdir(join(folder, name), { recursive: true });
  // As it is when nobody has written anything; or with a Python of the container's, which is quick.
  const isDefault = words.length === 0;
  await writeFile(join(folder, 'conf/config.yaml'), isDefault ? CONFIG : `${CONFIG}python_path: /usr/bin/python3\n`);
  if (!isDefault) await writeFile(join(folder, 'dependencies/python-requirements.txt'), '');
  await chown(join(folder, 'store'), settings.uid, settings.uid);
  return startBundle({
    settings,
    ...taken('service'),
    words: [...taken('service').image.command, ...words],
    environment: { API_KEY: 'key-of-this-test', SANDBOX_PORT: `${port}`, WORKER_TIMEOUT: '5' },
    mounts: [
      bind(join(folder, 'conf'), '/conf'),
      bind(join(folder, 'dependencies'), '/dependencies'),
      bind(join(folder, 'store'), '/var/lib/rootcellar', 'rw'),
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] },
    ],
    isReadOnly: settings.uid !== 0,
    isHostNetwork: true,
  });
}

async function answer(url: string): Promise<string> {
  try {
    return await (await fetch(url)).text();
  } catch {
    // Nobody listens yet.
    return '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
