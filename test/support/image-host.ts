import { noProgress } from '../../src/base/progress.ts';
import type { Architecture } from '../../src/base/architecture.ts';
import { parseLimitSetting } from '../../src/recipe/limit-setting.ts';
import type { SyscallSettings } from '../../src/recipe/recipe.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import { startProgram, type RunningProgram, type RunRequest } from '../../src/run-program.ts';
import { manifestJson, readManifest } from '../../src/store/image-manifest.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';

const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';

/** A store that is open, and its image `python`. */
export interface ImageHost extends AsyncDisposable {
  readonly image: Image;
  readonly store: Store;
}

export async function imageHost(home: string): Promise<ImageHost> {
  const store = await Store.open({ home });
  const image = await findImage(store, 'python', ARCHITECTURE);
  return { image, store, [Symbol.asyncDispose]: () => store.close() };
}

export type HostRequest = Partial<Omit<RunRequest, 'limits'>> & {
  readonly limits?: readonly string[];
  readonly syscalls?: Pick<SyscallSettings, 'profile' | 'allow'>;
};

/** Starts a program as the library does for everybody. */
export function start(
  host: ImageHost,
  { image = host.image, limits = [], syscalls, ...own }: HostRequest,
): Promise<RunningProgram> {
  const request: RunRequest = {
    program: { kind: 'code', code: 'pass' },
    arguments: [],
    stdio: 'capture',
    limits: Object.assign({}, ...limits.map(parseLimitSetting)),
    ...own,
    image: syscalls === undefined ? image : withPolicy(image, syscalls),
  };
  return startProgram(request, {
    store: host.store,
    environment: {},
    hostArchitecture: ARCHITECTURE,
    signal: new AbortController().signal,
    progress: noProgress,
    now: Math.floor(Date.now() / 1000),
  });
}

/** The same image, as a recipe with another policy would have given it. */
function withPolicy(image: Image, chosen: Pick<SyscallSettings, 'profile' | 'allow'>): Image {
  const syscalls = { ...chosen, deny: [] };
  const filter = Buffer.from(compileFilter(compilePolicy(syscalls, ARCHITECTURE), ARCHITECTURE).program).toString(
    'base64',
  );
  const manifest = readManifest(image.manifest);
  return { ...image, manifest: manifestJson({ ...manifest, filter, sandbox: { ...manifest.sandbox, syscalls } }) };
}
