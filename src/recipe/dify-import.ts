import type { Architecture } from '../base/architecture.ts';
import { parseGoDuration } from '../base/go-duration.ts';
import { isTrue, listOf, textOf, type DifyConfig, type DifySetting, type ImportNote } from './dify-config.ts';
import { debianParts, hostParts } from './dify-paths.ts';
import { importNetwork } from './dify-network.ts';
import { quotedWord } from './quoted-value.ts';

/** What an import has to know of this machine and of system calls. */
export interface ImportFacts {
  readonly architecture: Architecture;
  /** Where the recipe takes Python from; the caller knows whether this machine has the configured one. */
  readonly base: ImportBase;
  readonly name: string;
  /** Name of the requirements file beside the recipe; undefined: there is none. */
  readonly requirements: string | undefined;
  readonly syscalls: SyscallKnowledge;
}

export interface SyscallKnowledge {
  /** The name of a number on the architecture of the import. */
  nameOf(number: number): string | undefined;
  /** Of a number that means nothing there: what it is on the other one. */
  elsewhere(number: number): { readonly architecture: Architecture; readonly name: string } | undefined;
  /** Whether the profile `python` allows it, with or without conditions. */
  isAllowed(name: string): boolean;
  /** Why it should not be allowed; undefined when nothing speaks against it. */
  dangerOf(name: string): string | undefined;
}

export type ImportBase =
  | {
      readonly kind: 'host';
      readonly pythonPath: string;
      readonly isThere: (path: string) => boolean;
      /** Taken besides what the configuration names. */
      readonly paths?: readonly string[];
    }
  /** `suite` is the codename of a release; `packages` are taken besides Python. */
  | { readonly kind: 'debian'; readonly suite: string; readonly packages?: readonly string[] };

export interface DifyImport {
  /** The recipe as plain data, with the keys of `recipe.yaml`. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** In the order of the keys. */
  readonly notes: readonly ImportNote[];
}

/** Translates the settings of dify-sandbox into a recipe. Everything that it cannot carry over is in the notes. */
export function importDify(config: DifyConfig, facts: ImportFacts): DifyImport {
  const { base: from } = facts;
  const base = from.kind === 'host' ? hostParts(config, from) : debianParts(config, from);
  const outcomes = [...config.values()].map((setting) => outcomeOf(setting, facts));
  const limits = Object.assign({}, ...outcomes.map((outcome) => outcome.limits));
  const allow = outcomes.flatMap((outcome) => outcome.allow ?? []);
  const network = importNetwork(config);
  const interval = outcomes.find((outcome) => outcome.refresh !== undefined)?.refresh;
  const index = outcomes.find((outcome) => outcome.indexUrl !== undefined)?.indexUrl;
  const recipe = {
    name: facts.name,
    architectures: [facts.architecture],
    ...base.recipe,
    ...pythonPart(facts.requirements, index),
    sandbox: {
      syscalls: { profile: 'python', ...(allow.length > 0 && { allow }) },
      ...network.recipe,
      limits: { wall: '5s', cpu: '5s', ...limits },
    },
    refresh: isPeriodic(config) ? (interval ?? { every: '30m' }) : 'off',
  };
  return { recipe, notes: [...outcomes.flatMap((outcome) => outcome.notes ?? []), ...network.notes, ...base.notes] };
}

function pythonPart(requirements: string | undefined, index: string | undefined): Record<string, unknown> {
  if (requirements === undefined) return {};
  return { python: { requirements, ...(index !== undefined && { index_url: index }) } };
}

/** dify-sandbox does so where nothing else is said. */
function isPeriodic(config: DifyConfig): boolean {
  const setting = config.get('enable_python_deps_periodic_update');
  return setting === undefined || isTrue(setting);
}

/** What one setting becomes. */
interface Outcome {
  readonly limits?: Readonly<Record<string, string>>;
  readonly allow?: readonly string[];
  readonly indexUrl?: string;
  /** As a recipe has it. */
  readonly refresh?: Readonly<{ every: string }> | 'off';
  readonly notes?: readonly ImportNote[];
}

type Translation = (setting: DifySetting, facts: ImportFacts) => Outcome;

function noted(text: string): Translation {
  return (setting) => ({ notes: [{ setting, text }] });
}

const ofTheService = noted('is for the HTTP service, not for the image');
const inTheBase: Translation = () => ({});
/** By `importNetwork`, which looks at all of them together. */
const inTheNetwork: Translation = () => ({});

/** By `isPeriodic`. */
const inTheRefresh: Translation = () => ({});

/** Every setting of dify-sandbox up to its 0.2.15 and of its main branch since. */
const TRANSLATIONS: ReadonlyMap<string, Translation> = new Map([
  ['app.port', ofTheService],
  ['app.debug', ofTheService],
  ['app.key', ofTheService],
  ['max_workers', ofTheService],
  ['max_requests', ofTheService],
  ['log_path', ofTheService],
  ['worker_timeout', workerTimeout],
  ['python_path', inTheBase],
  ['python_lib_path', inTheBase],
  ['system_lib_requirements', inTheBase],
  ['python_pip_mirror_url', pipMirror],
  ['python_deps_update_interval', updateInterval],
  ['enable_python_deps_periodic_update', inTheRefresh],
  [
    'nodejs_path',
    noted('add `nodejs` to `base.debian.packages` for programs `*.js`, and choose the profile `node` for them'),
  ],
  ['enable_network', inTheNetwork],
  ['enable_preload', preload],
  ['allowed_syscalls', allowedSyscalls],
  ['allowed_env_vars', noted('a run gets none of the variables of its host')],
  ['proxy.socks5', inTheNetwork],
  ['proxy.https', inTheNetwork],
  ['proxy.http', inTheNetwork],
  ['proxy.no_proxy', inTheNetwork],
]);

function outcomeOf(setting: DifySetting, facts: ImportFacts): Outcome {
  const translate = TRANSLATIONS.get(setting.key) ?? unknownSetting(setting.key);
  return translate(setting, facts);
}

function unknownSetting(key: string): Translation {
  if (key.startsWith('pool.') || key.startsWith('app.')) return ofTheService;
  return noted('dify-sandbox has no such setting that an image could follow');
}

/** One wall-clock limit in seconds; zero means five. It bounds processor time too: a busy loop must end no sooner. */
function workerTimeout(setting: DifySetting): Outcome {
  const seconds = wholeNumber(setting);
  if (seconds === undefined) return badValue(setting, 'is no whole number of seconds; 5 s are kept');
  const limit = `${Math.min(seconds === 0 ? 5 : seconds, LONGEST_S)}s`;
  const notes = seconds > LONGEST_S ? [{ setting, text: `is longer than a run may take; it became ${limit}` }] : [];
  return { limits: { wall: limit, cpu: limit }, notes };
}

const LONGEST_S = 86_400;

/** dify-sandbox turns the check of certificates off for its mirror; here that must be said in the recipe by its owner. */
function pipMirror(setting: DifySetting, { requirements }: ImportFacts): Outcome {
  const text = textOf(setting);
  if (!URL.canParse(text) || !/^https?:\/\/[\u0021-\u007e]+$/.test(text)) return badValue(setting, 'is no address');
  if (requirements === undefined) return { notes: [{ setting, text: 'has no requirements to be used for' }] };
  const url = new URL(text);
  const hadSecret = url.username !== '' || url.password !== '';
  url.username = '';
  url.password = '';
  const notes = [
    ...(hadSecret ? ['its user and password were left out: put them into ~/.netrc'] : []),
    ...(url.protocol === 'https:' ? ['its certificate is checked, which dify-sandbox does not do'] : []),
  ];
  return { indexUrl: url.href, notes: notes.map((note) => ({ setting, text: note })) };
}

/** It refreshes nothing where it cannot read the interval, and ends where that is 0. */
function updateInterval(setting: DifySetting): Outcome {
  const text = textOf(setting);
  const ms = parseGoDuration(text);
  if (text === 'off') return { refresh: 'off' };
  if (ms === undefined || ms === 0) {
    return { refresh: 'off', notes: [{ setting, text: 'is no interval; the recipe is refreshed only when asked' }] };
  }
  const every = intervalText(Math.max(ms, MINUTE_MS));
  const notes = ms < MINUTE_MS ? [{ setting, text: `is shorter than a recipe may say; it became ${every}` }] : [];
  return { refresh: { every }, notes };
}

const MINUTE_MS = 60_000;

function intervalText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

function preload(setting: DifySetting): Outcome {
  return isTrue(setting) ? ofTheServiceOutcome(setting) : {};
}

function ofTheServiceOutcome(setting: DifySetting): Outcome {
  return { notes: [{ setting, text: 'is for the HTTP service, not for the image' }] };
}

/** In dify-sandbox the list replaces the default; here only what goes beyond the profile is named, and never a number. */
function allowedSyscalls(setting: DifySetting, { architecture, syscalls }: ImportFacts): Outcome {
  const allow = new Set<string>();
  const notes: ImportNote[] = [];
  const note = (text: string): void => void notes.push({ setting, text });
  for (const element of listOf(setting)) {
    const number = /^\d{1,6}$/.test(element) ? Number(element) : undefined;
    const name = number === undefined ? undefined : syscalls.nameOf(number);
    const other = number === undefined || name !== undefined ? undefined : syscalls.elsewhere(number);
    const onOther = other === undefined ? '' : `; on ${other.architecture} it is \`${other.name}\``;
    const danger = name === undefined ? undefined : syscalls.dangerOf(name);
    if (name === undefined) note(`${quotedWord(element)} is no number of a system call on ${architecture}${onOther}`);
    else if (syscalls.isAllowed(name)) continue;
    else if (danger !== undefined) note(`${element}, \`${name}\`, was left out: it ${danger}`);
    else allow.add(name);
  }
  if (allow.size > 0) note(`became names for ${architecture}: ${[...allow].join(', ')}`);
  return { allow: [...allow], notes };
}

function badValue(setting: DifySetting, fault: string): Outcome {
  return { notes: [{ setting, text: fault }] };
}

function wholeNumber(setting: DifySetting): number | undefined {
  const text = textOf(setting);
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
