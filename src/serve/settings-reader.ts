import { RootcellarError } from '../base/rootcellar-error.ts';
import { parseGoDuration } from '../base/go-duration.ts';
import { parseDuration, parseSize } from '../base/units.ts';
import { isTrue, textOf, type DifyConfig } from '../recipe/dify-config.ts';
import { importNetwork } from '../recipe/dify-network.ts';
import { parseLimitSetting } from '../recipe/limit-setting.ts';
import { networkSchema } from '../recipe/network-schema.ts';
import type { NetworkSettings } from '../recipe/network.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { Limits } from '../recipe/recipe.ts';
import { DEFAULT_KEY_NAME, type ApiKey } from './api-keys.ts';
import { DEFAULT_ADDRESS, parseListenAddress, type ListenAddress } from './listen-address.ts';
import { DEFAULT_SETTINGS, type ServiceSettings } from './service-settings.ts';

/** Our own words for settings, as flags; each has a variable, too. */
export interface SettingFlags {
  readonly listen?: string;
  readonly workers?: string;
  readonly maxRequests?: string;
  readonly warmCells?: string;
  readonly zygotes?: boolean;
  /** Each `name=value`. */
  readonly limit?: readonly string[];
  readonly maxLimit?: readonly string[];
  readonly maxBody?: string;
  readonly drain?: string;
}

export interface SettingSources {
  readonly flags: SettingFlags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of a file of keys. */
  readonly keys: readonly ApiKey[];
  /** dify-sandbox's configuration with its variables; undefined: it is not asked. */
  readonly dify: DifyConfig | undefined;
}

export interface ReadSettings {
  readonly settings: ServiceSettings;
  /** What was taken in place of settings with which dify-sandbox would hang, refuse everything or end. */
  readonly notes: readonly string[];
}

/**
 * A flag wins over our variable, that over dify-sandbox's, and that over its file. Throws E_USAGE for our own words; what is
 * wrong in dify-sandbox's is passed over, and noted.
 */
export function readSettings({ flags, environment, keys, dify }: SettingSources): ReadSettings {
  const notes: string[] = [];
  const word = (flag: string | undefined, variable: string): string | undefined =>
    flag ?? (environment[variable] === '' ? undefined : environment[variable]);
  const list = (flag: readonly string[] | undefined, variable: string): readonly string[] =>
    flag ?? word(undefined, variable)?.split(',') ?? [];
  const number = (name: 'workers' | 'requests', own: string | undefined, theirs: string): number => {
    const preset = DEFAULT_SETTINGS[name];
    if (own !== undefined) return wholeNumber(own, name === 'workers' ? '--workers' : '--max-requests');
    return dify === undefined ? preset : difyNumber(dify, { key: theirs, preset, notes });
  };
  const workers = number('workers', word(flags.workers, 'ROOTCELLAR_WORKERS'), 'max_workers');
  const requests = number('requests', word(flags.maxRequests, 'ROOTCELLAR_MAX_REQUESTS'), 'max_requests');
  const settings: ServiceSettings = {
    address: addressOf(word(flags.listen, 'ROOTCELLAR_LISTEN'), dify, notes),
    keys: [...keys, ...ownKey(word(undefined, 'ROOTCELLAR_API_KEY') ?? difyText(dify, 'app.key'))],
    workers,
    requests,
    warmCells: warmCellsOf(word(flags.warmCells, 'ROOTCELLAR_WARM_CELLS')),
    zygotes: flags.zygotes !== false && word(undefined, 'ROOTCELLAR_ZYGOTES') !== 'off',
    limits: { ...workerTimeout(dify), ...limitsOf(list(flags.limit, 'ROOTCELLAR_LIMITS')) },
    mostLimits: limitsOf(list(flags.maxLimit, 'ROOTCELLAR_MAX_LIMITS')),
    network: dify === undefined ? undefined : networkOf(dify),
    enablePreload: dify !== undefined && isOn(dify, 'enable_preload'),
    mostBodyBytes: sizeOf(word(flags.maxBody, 'ROOTCELLAR_MAX_BODY')) ?? DEFAULT_SETTINGS.mostBodyBytes,
    drainMs: durationOf(word(flags.drain, 'ROOTCELLAR_DRAIN')) ?? DEFAULT_SETTINGS.drainMs,
    updateMs: dify === undefined ? undefined : updateInterval(dify, notes),
  };
  return { settings, notes };
}

function warmCellsOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SETTINGS.warmCells;
  return text === '0' ? 0 : wholeNumber(text, '--warm-cells');
}

/** Under one name: whoever wants to tell holders apart has a file. */
function ownKey(key: string | undefined): readonly ApiKey[] {
  return key === undefined ? [] : [{ name: DEFAULT_KEY_NAME, key }];
}

function difyText(dify: DifyConfig | undefined, key: string): string | undefined {
  const setting = dify?.get(key);
  const text = setting === undefined ? '' : textOf(setting);
  return text === '' ? undefined : text;
}

function isOn(dify: DifyConfig, key: string): boolean {
  const setting = dify.get(key);
  return setting !== undefined && isTrue(setting);
}

/** As an imported recipe has it; but it counts at once, whatever image is there. */
function networkOf(dify: DifyConfig): NetworkSettings {
  const { network } = importNetwork(dify).recipe;
  return network === undefined ? 'none' : networkSchema().parse(network);
}

/** Its one limit: of the wall clock, and so of processor time too. What is no number keeps its default. */
function workerTimeout(dify: DifyConfig | undefined): Partial<Limits> {
  if (dify === undefined) return {};
  const text = difyText(dify, 'worker_timeout') ?? '';
  const seconds = /^[1-9]\d{0,8}$/.test(text) ? Math.min(Number(text), LONGEST_RUN_S) : DEFAULT_TIMEOUT_S;
  return { wallMs: seconds * 1000, cpuMs: seconds * 1000 };
}

const LONGEST_RUN_S = 86_400;
/** Source: dify-sandbox, `CaptureOutput`. */
const DEFAULT_TIMEOUT_S = 5;

interface DifyNumber {
  readonly key: string;
  readonly preset: number;
  readonly notes: string[];
}

function difyNumber(dify: DifyConfig, { key, preset, notes }: DifyNumber): number {
  const text = difyText(dify, key) ?? '0';
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  const fault = text === '0' ? 'is 0 or not there' : `is no number of runs: ${quotedWord(text)}`;
  const effect = key === 'max_workers' ? 'lets every run wait for ever' : 'refuses every run';
  notes.push(`\`${key}\`: ${fault}, with which dify-sandbox ${effect}; ${preset} is taken`);
  return preset;
}

/** dify-sandbox's port, at an address of ours: it listens to everybody, and we only where we are told to. */
function addressOf(own: string | undefined, dify: DifyConfig | undefined, notes: string[]): ListenAddress {
  const text = difyText(dify, 'app.port');
  const port = text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
  if (dify !== undefined && (port === undefined || port === 0)) {
    notes.push(`\`app.port\`: ${text === undefined ? 'is not there' : 'is no port'}; ${DEFAULT_ADDRESS.port} is taken`);
  }
  const preset = { ...DEFAULT_ADDRESS, port: port === undefined || port === 0 ? DEFAULT_ADDRESS.port : port };
  return own === undefined ? preset : parseListenAddress(own, preset);
}

/** Half an hour where nothing is said, as in dify-sandbox. */
function updateInterval(dify: DifyConfig, notes: string[]): number | undefined {
  if (dify.has('enable_python_deps_periodic_update') && !isOn(dify, 'enable_python_deps_periodic_update')) {
    return undefined;
  }
  const text = difyText(dify, 'python_deps_update_interval') ?? '30m';
  const ms = parseGoDuration(text);
  if (ms !== undefined && ms >= 1000) return ms;
  const isOff = text === 'off' || ms === 0;
  if (!isOff)
    notes.push(
      `\`python_deps_update_interval\`: ${quotedWord(text)} is no interval; the image is refreshed only when asked, and after edits`,
    );
  return undefined;
}

function limitsOf(words: readonly string[]): Partial<Limits> {
  return Object.assign({}, ...words.map((word) => parseLimitSetting(word.trim())));
}

function wholeNumber(text: string, flag: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new RootcellarError('E_USAGE', `${flag}: ${quotedWord(text)} is no number from 1 to 999999`, {
    hint: `${flag} 4`,
  });
}

function sizeOf(text: string | undefined): number | undefined {
  const bytes = text === undefined ? undefined : parseSize(text);
  if (text === undefined || (bytes !== undefined && bytes >= 1024)) return bytes;
  throw new RootcellarError('E_USAGE', `--max-body: ${quotedWord(text)} is no size from 1KiB`, {
    hint: '--max-body 8MiB',
  });
}

function durationOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDuration(text);
  if (text === undefined || (ms !== undefined && ms <= LONGEST_DRAIN_MS)) return ms;
  throw new RootcellarError('E_USAGE', `--drain: ${quotedWord(text)} is no time up to 24h`, { hint: '--drain 30s' });
}

const LONGEST_DRAIN_MS = 24 * 3_600_000;
