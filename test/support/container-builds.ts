import { existsSync, statfsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

const REPOSITORY = join(import.meta.dirname, '../..');
/** What the Dockerfiles of images/ would install anyhow, and Python for the one that copies a stage's. */
const PACKAGES = `ca-certificates curl gcc gcc-aarch64-linux-gnu gpgv libc6-dev libc6-dev-arm64-cross libstdc++6 make python3
  xz-utils`;
const TOOLS = ['buildah', 'mmdebstrap', 'runc'] as const;
/** What this machine's authorities are called by, wherever it is to be told. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/** Why no image can be built here; undefined when they can. With SANDBOX_MUST_WORK that is an error. */
export function buildFault(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  const missing = TOOLS.filter((tool) => !folders.some((folder) => existsSync(join(folder, tool))));
  const isFit = process.getuid?.() === 0 && process.arch === 'x64';
  const fault =
    missing.length > 0 ? `no ${missing.join(', ')}: scripts/setup --tests` : isFit ? undefined : 'needs root on amd64';
  if (fault === undefined) return undefined;
  if (process.env['SANDBOX_MUST_WORK'] === '1') throw new Error(`NO CONTAINER BUILDS: ${fault}`);
  process.stdout.write(`NO CONTAINER BUILDS: ${fault}\n`);
  return fault;
}

export interface BuiltImage {
  readonly architecture: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly diffIds: readonly string[];
}

/** Builds of buildah with a storage of their own, which is gone at the end. */
export interface ContainerBuilds extends AsyncDisposable {
  /** For contexts and volumes. */
  readonly folder: string;
  /** `docker build` with these words, in the repository unless they name another context. */
  build(tag: string, words: readonly string[], context?: string): Promise<string>;
  inspect(tag: string): Promise<BuiltImage>;
  /** A new container's files, writable, as a folder of this machine. */
  mount(tag: string): Promise<string>;
}

export async function containerBuilds(): Promise<ContainerBuilds> {
  const folder = await mkdtemp(join(roomyFolder(), 'rootcellar-builds-'));
  const storage = join(folder, 'storage');
  await mkdir(join(folder, 'tmp'), { recursive: true });
  const buildah = async (...words: readonly string[]): Promise<string> => {
    const own = ['--root', storage, '--runroot', join(folder, 'run'), '--storage-driver', 'overlay', ...words];
    // Caches of builds are there, too.
    const { stdout, stderr } = await execa('buildah', own, { env: { TMPDIR: join(folder, 'tmp') } });
    return `${stdout}${words[0] === 'build' ? stderr : ''}`;
  };
  await makeBase(buildah);
  return {
    folder,
    build: (tag, words, context = REPOSITORY) =>
      buildah('build', '--isolation', 'chroot', '--network', 'host', ...words, '--tag', tag, context),
    inspect: async (tag) => builtImage(JSON.parse(await buildah('inspect', '--type', 'image', tag))),
    mount: async (tag) => (await buildah('mount', (await buildah('from', '--pull-never', tag)).trim())).trim(),
    [Symbol.asyncDispose]: async () => {
      await buildah('rm', '--all');
      // buildah mounts it over itself.
      await execa('umount', [join(storage, 'overlay')], { reject: false });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const ROOM = 6 * 1024 ** 3;

/** In memory where there is enough of it: some gigabytes are written several times. */
function roomyFolder(): string {
  const { bavail, bsize } = statfsSync('/dev/shm');
  return bavail * bsize > ROOM ? '/dev/shm' : tmpdir();
}

export const BASE = 'localhost/node-and-python';

/** What takes time and is not looked at, a third of all bytes. */
const NOT_INSTALLED = [
  ...['doc', 'i18n', 'info', 'locale', 'man', 'perl'].map((name) => `/usr/share/${name}/*`),
  '/usr/bin/*-lto-dump-*',
  '/usr/libexec/gcc*/*/*/lto1',
];

/** Debian with this machine's Node.js, in the place of `node:20-trixie-slim` and of `python:3`. */
async function makeBase(buildah: (...words: readonly string[]) => Promise<string>): Promise<void> {
  const container = (await buildah('from', 'scratch')).trim();
  const root = (await buildah('mount', container)).trim();
  const include = `--include=${PACKAGES.split(/\s+/).join(',')}`;
  const left = NOT_INSTALLED.map((path) => `--dpkgopt=path-exclude=${path}`);
  const fast = ['--variant=apt', '--dpkgopt=force-unsafe-io', '--format=directory', '--quiet'];
  await execa('mmdebstrap', [...fast, ...left, include, 'trixie', root]);
  const local = join(root, 'usr/local');
  await cp(await realpath(process.execPath), join(local, 'bin/node'));
  await chmod(join(local, 'bin/node'), 0o755);
  await cp(await npmFolder(), join(local, 'lib/node_modules/npm'), { recursive: true, dereference: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  if (existsSync(AUTHORITIES)) await writeFile(join(root, AUTHORITIES), await readFile(AUTHORITIES));
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  await buildah('config', '--env', path, '--env', `NODE_EXTRA_CA_CERTS=${AUTHORITIES}`, container);
  await buildah('commit', '--rm', '--quiet', container, BASE);
}

async function npmFolder(): Promise<string> {
  const { stdout } = await execa('sh', ['-c', 'command -v npm']);
  return dirname(dirname(await realpath(stdout)));
}

interface Inspected {
  readonly OCIv1: {
    readonly architecture: string;
    readonly config: {
      readonly Entrypoint?: readonly string[];
      readonly Cmd?: readonly string[];
      readonly Env?: readonly string[];
      readonly WorkingDir?: string;
    };
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
}

function builtImage({ OCIv1: { architecture, config, rootfs } }: Inspected): BuiltImage {
  return {
    architecture,
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    environment: config.Env ?? [],
    workingDirectory: config.WorkingDir ?? '/',
    diffIds: rootfs.diff_ids,
  };
}
