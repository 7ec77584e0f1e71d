import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Architecture } from '../../src/base/architecture.ts';
import { noProgress } from '../../src/base/progress.ts';
import { buildRecipe } from '../../src/cli/build-verb.ts';
import { openRecipe } from '../../src/cli/pipeline.ts';
import { lockRecipe } from '../../src/lock-recipe.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import { startProgram } from '../../src/run-program.ts';
import { createService, type Service, type ServiceOptions } from '../../src/serve/service.ts';
import { serviceClock } from '../../src/serve/service-clock.ts';
import { DEFAULT_SETTINGS, type ServiceSettings } from '../../src/serve/service-settings.ts';
import { UNWATCHED, type EndedRun, type RejectionReason, type ServiceWatch } from '../../src/serve/service-watch.ts';
import { WatchedImages } from '../../src/serve/watched-images.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { Store } from '../../src/store/store.ts';
import { copyPython, hostFolder, type HostFolder } from './host-python.ts';

const ARCHITECTURE: Architecture = process.arch === 'x64' ? 'amd64' : 'arm64';

/** Where images have Node.js; undefined where this machine has it elsewhere. */
export const NODE: string | undefined = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path));

/** As much of jinja2 as Dify's template node uses: a class with one method. */
const TOY_JINJA = `import re
class Template:
    def __init__(self, text):
        self.text = text
    def render(self, **values):
        return re.sub(r'{{ *(\\w+) *}}', lambda match: str(values.get(match[1], '')), self.text)
`;

/** A store with an image of this machine's Python, with a toy jinja2 in it, and of its Node.js. */
export interface ToyCellar extends AsyncDisposable {
  readonly store: Store;
  readonly image: Image;
  readonly context: () => PipelineContext;
  /** Changes what Python has, and builds the next generation. */
  readonly rebuild: (version: string) => Promise<Image>;
}

export async function toyCellar({ sandbox = '{}' } = {}): Promise<ToyCellar> {
  const folder = hostFolder();
  const store = await Store.open({ home: folder.path('store') });
  const site = writePython(folder, sandbox);
  const context = (): PipelineContext => ({
    store,
    environment: {},
    hostArchitecture: ARCHITECTURE,
    signal: new AbortController().signal,
    progress: noProgress,
    now: Math.floor(Date.now() / 1000),
  });
  const rebuild = async (version: string): Promise<Image> => {
    writeJinja(site, version);
    const recipe = await openRecipe(folder.path('recipe'));
    await lockRecipe({ recipe, upgrade: 'none' }, context());
    return buildRecipe(recipe, ARCHITECTURE, { pipeline: context() });
  };
  const image = await rebuild('3.1.6');
  const dispose = async (): Promise<void> => {
    await store.close();
    folder[Symbol.dispose]();
  };
  return { store, image, context, rebuild, [Symbol.asyncDispose]: dispose };
}

function writePython(folder: HostFolder, sandbox: string): string {
  const { program, site } = copyPython(folder.path('python'));
  mkdirSync(folder.path('recipe'));
  const libraries = ['auto', ...(NODE === undefined ? [] : [NODE])].join(', ');
  writeFileSync(
    folder.path('recipe/recipe.yaml'),
    `name: toy
architectures: [${ARCHITECTURE}]
base: { host: { python_path: ${program}, python_lib_path: [${libraries}] } }
sandbox: ${sandbox}
`,
  );
  return site;
}

function writeJinja(site: string, version: string): void {
  const metadata = join(site, 'jinja2-3.dist-info/METADATA');
  mkdirSync(dirname(metadata), { recursive: true });
  writeFileSync(join(site, 'jinja2.py'), TOY_JINJA);
  writeFileSync(metadata, `Metadata-Version: 2.1\nName: Jinja2\nVersion: ${version}\n`);
}

/** What a watch was told, in order. */
export interface Told {
  readonly ended: EndedRun[];
  readonly rejected: RejectionReason[];
  readonly started: string[];
  readonly notices: string[];
}

/** A service that listens on loopback. */
export interface ToyService extends AsyncDisposable {
  readonly service: Service;
  readonly images: WatchedImages;
  readonly url: string;
  readonly told: Told;
  /** With the key. */
  readonly send: (path: string, init?: RequestInit) => Promise<Response>;
  /** To `/v1/run`. */
  readonly run: (body: unknown, init?: RequestInit) => Promise<Response>;
  /** To dify-sandbox's endpoint, as Dify does. */
  readonly difyRun: (body: unknown) => Promise<Response>;
}

export const KEY = 'a key of the tests';

export type ToyOptions = Partial<ServiceSettings> &
  Pick<Partial<ServiceOptions>, 'start' | 'extend' | 'patience'> & {
    readonly build?: () => Promise<Image>;
    readonly isEmpty?: boolean;
  };

export async function toyService(cellar: ToyCellar, options: ToyOptions = {}): Promise<ToyService> {
  const { start, extend, patience, build, isEmpty, ...own } = options;
  const told: Told = { ended: [], rejected: [], started: [], notices: [] };
  const watch = watchInto(told);
  const images = await WatchedImages.open({
    store: cellar.store,
    first: isEmpty === true ? undefined : await findImage(cellar.store, 'toy', ARCHITECTURE),
    name: isEmpty === true ? undefined : 'toy',
    architecture: ARCHITECTURE,
    build,
    watch,
    everyMs: 10,
  });
  const settings: ServiceSettings = {
    ...DEFAULT_SETTINGS,
    address: { host: '127.0.0.1', port: 0 },
    keys: [{ name: 'tests', key: KEY }],
    ...own,
  };
  const service = createService({
    settings,
    images,
    watch,
    clock: serviceClock(),
    start: start ?? ((request) => startProgram(request, cellar.context())),
    extend,
    patience,
  });
  const { port } = await service.listen();
  const url = `http://127.0.0.1:${port}`;
  const send: ToyService['send'] = (path, { headers, ...init } = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { 'x-api-key': KEY, ...Object.fromEntries(new Headers(headers)) } });
  const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
  return {
    service,
    images,
    url,
    told,
    send,
    run: (body, init = {}) =>
      send('/v1/run', {
        ...json,
        ...init,
        headers: { ...json.headers, ...Object.fromEntries(new Headers(init.headers)) },
        body: JSON.stringify(body),
      }),
    difyRun: (body) => send('/v1/sandbox/run', { ...json, body: JSON.stringify(body) }),
    [Symbol.asyncDispose]: async () => {
      service.stop();
      await service.close();
      await images.close();
    },
  };
}

function watchInto(told: Told): ServiceWatch {
  return {
    ...UNWATCHED,
    runStarted: ({ requestId }) => void told.started.push(requestId),
    runEnded: (run) => void told.ended.push(run),
    requestRejected: (reason) => void told.rejected.push(reason),
    noticed: ({ message }) => void told.notices.push(message),
  };
}
