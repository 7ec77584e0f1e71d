import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { keepHeapLean } from '../lean-heap.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { difyEnvironment, mergeDifyConfigs, type DifyConfig } from '../recipe/dify-config.ts';
import { readBoundedFile } from '../recipe/bounded-file.ts';
import type { RefreshSchedule } from '../recipe/recipe.ts';
import { scheduleClock } from '../refresh/schedule-clock.ts';
import { proxySecrets } from '../recipe/proxy-secrets.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import { checkExposure, DEFAULT_KEY_NAME, parseKeyFile, type ApiKey } from '../serve/api-keys.ts';
import type { ListenAddress } from '../serve/listen-address.ts';
import type { StartProgram } from '../serve/run-desk.ts';
import { createService, type Service } from '../serve/service.ts';
import { serviceClock } from '../serve/service-clock.ts';
import { liveUntilSignal } from '../serve/service-life.ts';
import type { ServiceSettings } from '../serve/service-settings.ts';
import { readSettings } from '../serve/settings-reader.ts';
import type { ServedImage } from '../serve/image-source.ts';
import type { PoolState, ServiceWatch } from '../serve/service-watch.ts';
import { keepWarm, poolStates } from '../serve/warm-cells.ts';
import { WatchedImages, type ImagesToWatch } from '../serve/watched-images.ts';
import { WarmPool, type WarmPoolSettings } from '../warm-pool.ts';
import { serviceWatching, type Watching } from '../serve/watching.ts';
import type { CommandContext, CommonFlags } from './command-context.ts';
import { readDifyConfig } from './dify-files.ts';
import { withPipeline } from './pipeline.ts';
import type { ServeFlags } from './serve-command.ts';
import { imageToServe } from './served-images.ts';
import { imageOfDify } from './served-recipe.ts';

/** Between two looks whether another generation is current. */
const LOOK_MS = 1000;
const LARGEST_KEYS = 1024 ** 2;

/** `rootcellar serve`: until a signal ends it; a second one does so at once. */
export async function serveVerb(
  context: CommandContext,
  word: string | undefined,
  flags: ServeFlags & CommonFlags,
): Promise<number> {
  // Else what programs print is kept as garbage until it is several times as much as what is in use.
  keepHeapLean();
  refuseNeedless(word, flags);
  const dify = await difySettings(flags, context);
  if (word === undefined && dify === undefined) throw nothingToServe();
  const settings = await settingsFor({ flags, dify }, context);
  // The first signal lets runs end: nothing of theirs may listen to it.
  await withPipeline({ ...context, signal: new AbortController().signal }, async (pipeline) => {
    const current = freshContext(pipeline, dify);
    const building = (): PipelineContext => ({ ...current(), signal: context.signal });
    const watching = serviceWatching({ stream: process.stdout, now: () => Date.now() });
    const { watch } = watching;
    const serving = { pipeline: building, schedule: scheduleOf(settings) };
    const toServe =
      word === undefined && dify !== undefined
        ? await imageOfDify({ flags, dify }, context, serving)
        : await imageToServe(word ?? '', serving);
    const source = { ...toServe, store: pipeline.store, architecture: context.hostArchitecture, watch };
    const { service, images, pool } = await openService({ source, settings, current, watching });
    const stopAtOnce = stopOnSecondSignal(context.signal, () => service.stop());
    try {
      await liveUntilSignal({
        service,
        images,
        watch,
        clock: scheduleClock(),
        upkeep: toServe.upkeep,
        signal: context.signal,
        onListening: (address) => {
          if (flags.quiet !== true) tell(`listening on ${urlOf(address)}`);
        },
      });
    } finally {
      stopAtOnce();
      await images.close();
      await pool.close();
    }
  });
  return 0;
}

interface OpenService {
  readonly service: Service;
  readonly images: WatchedImages;
  readonly pool: WarmPool;
}

interface ServiceMaking {
  readonly source: Omit<ImagesToWatch, 'everyMs' | 'onServed'>;
  readonly settings: ServiceSettings;
  readonly current: () => PipelineContext;
  readonly watching: Watching;
}

async function openService({ source, settings, current, watching }: ServiceMaking): Promise<OpenService> {
  const { watch } = watching;
  const pool = new WarmPool(current, poolSettings(settings, watch));
  const onServed = (served: ServedImage): void => void keepWarm(pool, served, { settings, watch });
  const images = await WatchedImages.open({ ...source, onServed, everyMs: LOOK_MS });
  const clock = serviceClock();
  const start: StartProgram = (request) => pool.start(request);
  const pools = (): readonly PoolState[] => poolStates(pool, images.current());
  return { service: createService({ settings, images, clock, start, pools, ...watching }), images, pool };
}

/** dify-sandbox's interval. */
function scheduleOf({ updateMs }: ServiceSettings): RefreshSchedule | undefined {
  return updateMs === undefined ? undefined : { kind: 'every', everyMs: updateMs, jitterMs: Math.round(updateMs / 10) };
}

/** Kinds: of each language, with each set of modules, with and without a network. */
const MOST_KINDS = 16;

function poolSettings({ warmCells, zygotes }: ServiceSettings, watch: ServiceWatch): WarmPoolSettings {
  return {
    size: warmCells,
    zygotes,
    kinds: MOST_KINDS,
    makers: availableParallelism(),
    recycled: (reason, message) => {
      watch.zygoteRecycled(reason);
      if (message !== undefined) watch.noticed({ level: 'warning', message });
    },
  };
}

async function difySettings({ config }: ServeFlags, { environment }: CommandContext): Promise<DifyConfig | undefined> {
  if (config === undefined) return undefined;
  return mergeDifyConfigs(await readDifyConfig(config), difyEnvironment(environment));
}

/** What is only for an image that is made of a configuration. */
function refuseNeedless(word: string | undefined, { config, requirements, minimumTier }: ServeFlags): void {
  const flag = requirements !== undefined ? '--requirements' : minimumTier === undefined ? undefined : '--minimum-tier';
  if (flag === undefined || (config !== undefined && word === undefined)) return;
  const why = word === undefined ? 'needs --config' : 'is for the image that is made of --config, and not for another';
  const key = flag === '--requirements' ? 'python: { requirements: FILE }' : 'sandbox: { minimum_tier: D }';
  throw new RootcellarError('E_USAGE', `${flag}: ${why}`, {
    hint: word === undefined ? 'add --config conf/config.yaml' : `leave it out, or write \`${key}\` into its recipe`,
  });
}

function nothingToServe(): RootcellarError {
  return new RootcellarError('E_USAGE', 'serve: there is no image to serve', {
    hint: 'rootcellar serve python, rootcellar serve recipes/python, or rootcellar serve --config conf/config.yaml',
  });
}

interface Configuration {
  readonly flags: ServeFlags;
  readonly dify: DifyConfig | undefined;
}

async function settingsFor(
  { flags, dify }: Configuration,
  { environment, reporter }: CommandContext,
): Promise<ServiceSettings> {
  const { settings, notes } = readSettings({ flags, environment, keys: await keysOf(flags), dify });
  for (const note of notes) reporter.progress({ kind: 'warning', message: note });
  checkExposure(settings.address.host, settings.keys);
  if (settings.keys.length > 0) return settings;
  if (dify !== undefined) {
    const message = '`app.key`: is empty, so that every program of this machine may use the service';
    reporter.progress({ kind: 'warning', message, hint: 'export API_KEY=$(openssl rand -hex 24)' });
    return settings;
  }
  const key = randomBytes(24).toString('hex');
  tell(`no key was given; this one is good until the service ends: ${key}`);
  return { ...settings, keys: [{ name: DEFAULT_KEY_NAME, key }] };
}

async function keysOf({ keys }: ServeFlags): Promise<readonly ApiKey[]> {
  if (keys === undefined) return [];
  const read = await readBoundedFile(keys, LARGEST_KEYS);
  if (read.kind === 'content') return parseKeyFile(Buffer.from(read.content).toString('utf8'), keys);
  const fault = read.kind === 'missing' ? 'does not exist' : read.fault;
  throw new RootcellarError('E_USAGE', `--keys: the file ${quotedWord(keys)} ${fault}`, {
    hint: 'write a file with `NAME KEY` on each line',
  });
}

/** Each run and each build with the time that it is then, and with what the configuration's proxies need. */
function freshContext(pipeline: PipelineContext, dify: DifyConfig | undefined): () => PipelineContext {
  const environment = { ...(dify === undefined ? {} : proxySecrets(dify)), ...pipeline.environment };
  return () => ({ ...pipeline, environment, now: Math.floor(Date.now() / 1000) });
}

/** Returns what ends the listening for it. */
function stopOnSecondSignal(first: AbortSignal, stop: () => void): () => void {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const listen = (): void => {
    for (const name of names) process.on(name, stop);
  };
  first.addEventListener('abort', listen, { once: true });
  return () => {
    first.removeEventListener('abort', listen);
    for (const name of names) process.off(name, stop);
  };
}

/** For people: stdout has the log, which is for programs. */
function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function urlOf({ host, port }: ListenAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
