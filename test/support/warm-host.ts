import { cp, mkdir, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { noProgress } from '../../src/base/progress.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import type { SandboxSettings } from '../../src/recipe/recipe.ts';
import type { RunRequest } from '../../src/run-program.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { compilePolicy } from '../../src/run/policy.ts';
import type { RunReport } from '../../src/run/run-report.ts';
import { manifestJson, readManifest } from '../../src/store/image-manifest.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';
import { WarmPool, type WarmPoolSettings } from '../../src/warm-pool.ts';
import { rootcellar, sharedHome } from './command.ts';

const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';
const PACKAGES = join(import.meta.dirname, 'packages');
const DIST_PACKAGES = '/usr/lib/python3/dist-packages';

/** A store with an image of Python and numpy whose packages do harm when they are imported. */
export interface WarmHost extends AsyncDisposable {
  readonly context: PipelineContext;
  /** The image, as a recipe with other settings would have given it. */
  readonly image: (settings?: Partial<SandboxSettings>) => Image;
  readonly pool: (settings?: Partial<WarmPoolSettings>) => WarmPool;
}

export async function warmHost(): Promise<WarmHost> {
  await buildHostile();
  const store = await Store.open({ home: sharedHome() });
  const own = await findImage(store, 'hostile', ARCHITECTURE);
  const context: PipelineContext = {
    store,
    environment: {},
    hostArchitecture: ARCHITECTURE,
    signal: new AbortController().signal,
    progress: noProgress,
    now: Math.floor(Date.now() / 1000),
  };
  return {
    context,
    image: (settings = {}) => withSettings(own, settings),
    pool: (settings = {}) => new WarmPool(() => context, { size: 1, kinds: 4, makers: 1, zygotes: true, ...settings }),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

function withSettings(image: Image, settings: Partial<SandboxSettings>): Image {
  const manifest = readManifest(image.manifest);
  const sandbox = { ...manifest.sandbox, ...settings };
  const { program } = compileFilter(compilePolicy(sandbox.syscalls, ARCHITECTURE), ARCHITECTURE);
  const filter = settings.syscalls === undefined ? manifest.filter : Buffer.from(program).toString('base64');
  return { ...image, manifest: manifestJson({ ...manifest, filter, sandbox }) };
}

/** Names of the modules of test/support/packages. */
function hostilePackages(): readonly string[] {
  return readdirSync(PACKAGES)
    .filter((name) => name.endsWith('.py'))
    .map((name) => name.slice(0, -'.py'.length));
}

async function buildHostile(): Promise<void> {
  const folder = join(inject('e2eFolder'), 'hostile');
  await mkdir(folder, { recursive: true });
  await cp(PACKAGES, join(folder, 'packages'), { recursive: true });
  const files = hostilePackages().map((name) => `  ${DIST_PACKAGES}/${name}.py: { from: packages/${name}.py }\n`);
  await writeFile(join(folder, 'recipe.yaml'), `${RECIPE.replace('OWN', ARCHITECTURE)}files:\n${files.join('')}`);
  const built = await rootcellar(['build', folder]);
  if (built.status !== 0) throw new Error(`a recipe with packages of our own cannot be built:\n${built.stderr}`);
}

const RECIPE = `name: hostile
architectures: [OWN]
base: { debian: { suite: trixie, packages: [python3, python3-numpy] } }
trim: [docs, locale, man, tests]
`;

/** A run of a Python program, as a service would have it. */
export function programRun(image: Image, code: string, more: Partial<RunRequest> = {}): RunRequest {
  return {
    image,
    program: { kind: 'file', file: { name: 'main.py', content: Buffer.from(code) } },
    arguments: [],
    limits: {},
    stdio: 'capture',
    ...more,
  };
}

/** Runs it in a cell that waits, where there is one. */
export async function warmReport(pool: WarmPool, request: RunRequest): Promise<RunReport> {
  const { report } = await pool.start(request);
  return report;
}
