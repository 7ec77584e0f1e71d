import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noProgress } from '../../src/base/progress.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import type { Architecture } from '../../src/base/architecture.ts';
import { parseLimitSetting } from '../../src/recipe/limit-setting.ts';
import { plainNetwork } from '../../src/recipe/network-schema.ts';
import type { SyscallSettings } from '../../src/recipe/recipe.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { startProgram, type RunningProgram, type RunRequest } from '../../src/run-program.ts';
import { manifestJson, readManifest } from '../../src/store/image-manifest.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';
import type { AttackCase } from './attack-case.ts';
import { setIdentities, type Identities } from './variation.ts';

export const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';

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

/** How an attack went: the report, or the code of the error with which it was refused. */
export type Observed =
  /** `odd`: what was taken out and should not be on a disk. */
  | { readonly report: RunReport; readonly uid: number | undefined; readonly odd: readonly string[] }
  | { readonly refused: string; readonly message: string };

export async function runAttack(host: AttackHost, attack: AttackCase): Promise<Observed> {
  const cancel = new AbortController();
  const { lang, profile = lang } = attack;
  const isCustom = profile !== lang || attack.allow.length > 0;
  const name = lang === 'node' ? 'attack.mjs' : 'attack.py';
  const out = mkdtempSync(join(host.folder, 'out-'));
  const outputs = attack.outputs.map((path, index) => ({ path, to: join(out, `${index}`) }));
  const running = await start(host, {
    image: lang === 'node' ? host.nodeImage : host.image,
    program: { kind: 'file', file: { name, content: attack.program } },
    arguments: attack.arguments.map((word) => host.canaries.get(word) ?? word),
    input: Buffer.alloc(attack.input, 'x'),
    limits: attack.limits,
    network: networkOf(host, attack),
    cancel: cancel.signal,
    proc: attack.proc,
    ...(outputs.length === 0 ? {} : { outputs }),
    ...(isCustom ? { syscalls: { profile, allow: attack.allow } } : {}),
  }).catch(refusal);
  if ('refused' in running) return running;
  const timer = attack.cancelAfterMs === undefined ? undefined : setTimeout(() => cancel.abort(), attack.cancelAfterMs);
  const report = await running.report;
  clearTimeout(timer);
  const odd = oddFiles(out);
  rmSync(out, { recursive: true });
  return { report, uid: (await running.facts()).uid, odd };
}

/** Below the folder for what is taken out: what is no plain file or folder, and names that were not asked for. */
function oddFiles(out: string): readonly string[] {
  const odd: string[] = readdirSync(out).filter((name) => !/^\d{1,2}$/.test(name));
  const folders = [Buffer.from(out)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of readdirSync(folder, { encoding: 'buffer' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const status = lstatSync(path);
      if (status.isDirectory()) folders.push(path);
      const isPlain = status.isFile() ? status.nlink === 1 : status.isDirectory();
      const isOwn = status.uid === process.getuid?.() && [0o644, 0o755].includes(status.mode & 0o7777);
      if (!isPlain || !isOwn) odd.push(`${status.mode.toString(8)} ${path.toString('latin1')}`);
    }
  }
  return odd;
}

function networkOf(host: AttackHost, { network }: AttackCase): RunRequest['network'] {
  if (typeof network === 'string') return plainNetwork(network);
  return { mode: 'proxy', allow: network.map((text) => text.replace('{port}', host.canaries.get('{port}') ?? '')) };
}

function refusal(error: unknown): Observed & { readonly refused: string } {
  if (error instanceof RootcellarError) return { refused: error.problems[0]?.code ?? '', message: error.message };
  throw error;
}

/** A run that goes on beside all attacks, and tells at its end whether anything disturbed it. */
export interface Neighbour {
  readonly uid: () => Promise<number>;
  readonly end: () => Promise<{ readonly report: RunReport; readonly steps: number; readonly expected: string }>;
}

const NEIGHBOUR = `
import hashlib, os, time
open("/tmp/own", "w").write("mine")
value = b""
step = 0
while True:
    value = hashlib.sha256(value).digest()
    secret = open("/tmp/own").read()
    print(step, value.hex()[:16], secret, ",".join(os.listdir("/tmp")), len(os.listdir("/dev")), flush=True)
    step += 1
    time.sleep(0.05)
`;

export async function startNeighbour(host: AttackHost): Promise<Neighbour> {
  const cancel = new AbortController();
  const running = await start(host, {
    program: { kind: 'code', code: NEIGHBOUR },
    limits: ['wall=10m', 'cpu=5m', 'output=8MiB'],
    cancel: cancel.signal,
  });
  return {
    // The first cell of a range has its first id.
    uid: () => Promise.resolve(host.identities.firstUid),
    end: async () => {
      cancel.abort();
      const report = await running.report;
      const steps = (report.stdout ?? '').split('\n').length - 1;
      return { report, steps, expected: neighbourText(steps) };
    },
  };
}

function neighbourText(steps: number): string {
  let value: Uint8Array = Buffer.alloc(0);
  let text = '';
  for (let step = 0; step < steps; step += 1) {
    const digest = createHash('sha256').update(value).digest();
    value = digest;
    text += `${step} ${digest.toString('hex').slice(0, 16)} mine own 6\n`;
  }
  return text;
}
