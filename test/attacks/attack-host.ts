import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { setIdentities, type Identities } from './variation.ts';

const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';

/** A machine that is attacked: an image, and things of the host that no guest may reach. */
export interface AttackHost extends AsyncDisposable {
  readonly folder: string;
  readonly image: Image;
  /** For attacks in JavaScript. */
  readonly nodeImage: Image;
  readonly store: Store;
  readonly identities: Identities;
  /** By the word in braces that stands for it. */
  readonly canaries: ReadonlyMap<string, string>;
  /** What came to the host's own servers. */
  readonly visits: () => number;
  readonly isCanaryWhole: () => boolean;
}

export async function attackHost(home: string, identities: Identities): Promise<AttackHost> {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-attacks-'));
  const canary = join(folder, 'canary');
  writeFileSync(canary, CANARY, { mode: 0o644 });
  setIdentities({ ...identities, lockFile: join(folder, 'uids') });
  const store = await Store.open({ home });
  const image = await findImage(store, 'python', ARCHITECTURE);
  const nodeImage = await findImage(store, 'nodejs', ARCHITECTURE);
  let visits = 0;
  const count = (): void => void (visits += 1);
  const abstract = `rootcellar-attack-${process.pid}`;
  const servers = [createServer(count), createServer(count)];
  const port = await listen(servers[0], { port: 0, host: '0.0.0.0' });
  await listen(servers[1], { path: `\0${abstract}` });
  return {
    folder,
    image,
    nodeImage,
    store,
    identities,
    canaries: new Map([
      ['{canary}', canary],
      ['{port}', `${port}`],
      ['{socket}', abstract],
    ]),
    visits: () => visits,
    isCanaryWhole: () => readFileSync(canary, 'utf8') === CANARY,
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const CANARY = 'nothing that a guest may read\n';

async function listen(server: Server | undefined, where: Parameters<Server['listen']>[0]): Promise<number> {
  await new Promise<void>((resolve) => void server?.listen(where, resolve));
  const address = server?.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export type HostRequest = Partial<Omit<RunRequest, 'limits'>> & {
  readonly limits?: readonly string[];
  readonly syscalls?: Pick<SyscallSettings, 'profile' | 'allow'>;
};

/** Starts a program as the library does for everybody. */
export function start(
  host: AttackHost,
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
