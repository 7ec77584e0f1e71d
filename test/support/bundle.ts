import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Ended } from './command.ts';
import { containerConfig, type ContainerSettings } from './container-config.ts';
import type { BuiltImage } from './container-builds.ts';

export interface BundleRequest {
  readonly settings: ContainerSettings;
  readonly image: Pick<BuiltImage, 'entrypoint' | 'environment' | 'workingDirectory'>;
  /** The container's files. */
  readonly root: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Further mounts, as a runtime's configuration has them. */
  readonly mounts?: readonly BundleMount[];
  readonly isReadOnly?: boolean;
  /** This machine's network, as with `--network host`. */
  readonly isHostNetwork?: boolean;
}

interface BundleMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export function bind(source: string, destination: string, access: 'ro' | 'rw' = 'ro'): BundleMount {
  return { destination, type: 'bind', source, options: ['rbind', access] };
}

/** Runs a container of an image to its end, by runc. */
export async function runBundle(request: BundleRequest & { readonly input?: string }): Promise<Ended> {
  await using bundle = await startBundle(request);
  return await bundle.ended;
}

export interface Bundle extends AsyncDisposable {
  /** How the runtime ends, which is as the container does. */
  readonly ended: Promise<Ended>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Until stdout has that text. */
  readonly said: (text: string) => Promise<void>;
}

export async function startBundle(request: BundleRequest & { readonly input?: string }): Promise<Bundle> {
  const id = `rootcellar-bundle-${randomBytes(6).toString('hex')}`;
  const folder = join('/tmp', id);
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(request, id)));
  const words = ['--root', join(folder, 'runc'), 'run', '--bundle', folder, id];
  const child = execa('runc', words, { reject: false, stripFinalNewline: false, input: request.input ?? '' });
  return {
    ended: child.then(({ exitCode, stdout, stderr }) => ({ status: exitCode ?? -1, stdout, stderr })),
    kill: (signal) => void child.kill(signal),
    said: (text) =>
      new Promise((resolve) => {
        const told = { all: '' };
        child.stdout.on('data', (chunk) => {
          told.all += String(chunk);
          if (told.all.includes(text)) resolve();
        });
      }),
    [Symbol.asyncDispose]: async () => {
      await execa('runc', ['--root', join(folder, 'runc'), 'delete', '--force', id], { reject: false });
      await child;
      await rm(folder, { recursive: true });
    },
  };
}

/** What a manager of containers puts over these is a choice of the user's. */
const NOT_MOUNTED: ReadonlySet<string> = new Set(['/tmp', '/var/tmp', '/run']);

interface RuntimeConfig {
  readonly mounts: readonly BundleMount[];
  readonly root: { readonly path: string };
  readonly process: { readonly cwd: string };
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] };
}

function configOf(
  { settings, image, root, words, isReadOnly, isHostNetwork, ...more }: BundleRequest,
  id: string,
): unknown {
  const config = runtimeConfig(settings, {
    id,
    root,
    words: [...image.entrypoint, ...words],
    environment: {
      ...Object.fromEntries(
        image.environment.map((row) => [row.slice(0, row.indexOf('=')), row.slice(row.indexOf('=') + 1)]),
      ),
      ...more.environment,
    },
    folders: [],
    readOnlyFolders: [],
  });
  const namespaces = config.linux.namespaces.filter(({ type }) => isHostNetwork !== true || type !== 'network');
  return {
    ...config,
    root: { ...config.root, readonly: isReadOnly === true },
    process: { ...config.process, cwd: image.workingDirectory === '' ? '/' : image.workingDirectory },
    mounts: [...config.mounts.filter(({ destination }) => !NOT_MOUNTED.has(destination)), ...(more.mounts ?? [])],
    linux: { ...config.linux, namespaces },
  };
}

function runtimeConfig(...parts: Parameters<typeof containerConfig>): RuntimeConfig {
  const config: RuntimeConfig = JSON.parse(JSON.stringify(containerConfig(...parts)));
  return config;
}
