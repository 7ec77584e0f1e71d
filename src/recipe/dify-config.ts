import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError, type Problem, type SourcePlace } from '../base/rootcellar-error.ts';
import { quotedValue, quotedWord } from './quoted-value.ts';
import { parseYaml } from './yaml-text.ts';

/** One setting of dify-sandbox, from its `conf/config.yaml` or from an environment variable. */
export interface DifySetting {
  /** With dots, such as `app.port`. */
  readonly key: string;
  /** Scalars as text, whatever type YAML gave them: dify-sandbox reads the same settings from its environment. */
  readonly value: string | readonly string[];
  readonly place: SourcePlace;
}

/** A setting that is not in the recipe, or is there in another form, and why. */
export interface ImportNote {
  readonly setting: DifySetting;
  readonly text: string;
}

/** By key. Settings without a value are not there. */
export type DifyConfig = ReadonlyMap<string, DifySetting>;

/** Every environment variable that dify-sandbox reads, and the setting that it stands for. They win over the file. */
export const DIFY_VARIABLES: ReadonlyMap<string, string> = new Map([
  ['SANDBOX_PORT', 'app.port'],
  ['DEBUG', 'app.debug'],
  ['API_KEY', 'app.key'],
  ['MAX_WORKERS', 'max_workers'],
  ['MAX_REQUESTS', 'max_requests'],
  ['WORKER_TIMEOUT', 'worker_timeout'],
  ['PYTHON_PATH', 'python_path'],
  ['PYTHON_LIB_PATH', 'python_lib_path'],
  ['SYSTEM_LIB_REQUIREMENTS', 'system_lib_requirements'],
  ['PIP_MIRROR_URL', 'python_pip_mirror_url'],
  ['PYTHON_DEPS_UPDATE_INTERVAL', 'python_deps_update_interval'],
  ['NODEJS_PATH', 'nodejs_path'],
  ['ENABLE_NETWORK', 'enable_network'],
  ['ENABLE_PRELOAD', 'enable_preload'],
  ['ALLOWED_SYSCALLS', 'allowed_syscalls'],
  ['ALLOWED_ENV_VARS', 'allowed_env_vars'],
  ['SOCKS5_PROXY', 'proxy.socks5'],
  ['HTTPS_PROXY', 'proxy.https'],
  ['HTTP_PROXY', 'proxy.http'],
  ['NO_PROXY', 'proxy.no_proxy'],
]);

/** Settings that are lists; in an environment variable their elements have commas between them. */
const LISTS = new Set(['python_lib_path', 'system_lib_requirements', 'allowed_syscalls', 'allowed_env_vars']);

/**
 * Reads dify-sandbox's `conf/config.yaml`. Throws E_RECIPE_SYNTAX for what is no YAML, and E_CONFIG_VALUE for values that are
 * neither scalars, lists of scalars, nor maps of them. A file without any setting leaves them all to the environment.
 */
export function parseDifyConfig(text: string, file: string): DifyConfig {
  if (hasOnlyComments(text)) return new Map();
  const yaml = parseYaml(text, file);
  const problems = [...yaml.problems];
  const settings = new Map<string, DifySetting>();
  const add = (path: readonly string[], value: unknown): void => {
    const place = yaml.keyPlace(path);
    const key = path.join('.');
    if (value === null) return;
    if (isMap(value) && path.length < 2) {
      for (const [name, member] of Object.entries(value)) add([...path, name], member);
      return;
    }
    const read = Array.isArray(value) ? elementsOfList(value) : scalarOf(value);
    if (read === undefined) problems.push(valueProblem(key, value, place));
    else if (read.length > 0) settings.set(key, { key, value: read, place });
  };
  if (isMap(yaml.value)) add([], yaml.value);
  else problems.push(valueProblem('the configuration', yaml.value, yaml.valuePlace([])));
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
  return settings;
}

/**
 * The settings of `NAME=value` lines, as container engines take them from a file. Variables that dify-sandbox does not read
 * are passed over. Throws E_CONFIG_VALUE.
 */
export function parseDifyVariables(text: string, file: string): DifyConfig {
  const settings = new Map<string, DifySetting>();
  const problems: Problem[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const place = { file, line: index + 1, column: 1 };
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, name, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name === undefined) problems.push(lineProblem(line, place));
    const key = DIFY_VARIABLES.get(name ?? '');
    const plain = value.trim().replace(/^(["'])(.*)\1$/, '$2');
    if (key === undefined || plain === '') continue;
    settings.set(key, { key, value: LISTS.has(key) ? elementsOf(plain) : plain, place });
  }
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
  return settings;
}

/** The settings of a process's own environment, as dify-sandbox reads it: an empty variable is none. */
export function difyEnvironment(environment: Readonly<Record<string, string | undefined>>): DifyConfig {
  const settings = [...DIFY_VARIABLES].flatMap(([name, key]): readonly [string, DifySetting][] => {
    const value = environment[name]?.trim() ?? '';
    if (value === '') return [];
    const place = { file: `$${name}`, line: 1, column: 1 };
    return [[key, { key, value: LISTS.has(key) ? elementsOf(value) : value, place }]];
  });
  return new Map(settings);
}

/** `later` wins. In byte order of key. */
export function mergeDifyConfigs(earlier: DifyConfig, later: DifyConfig): DifyConfig {
  return new Map([...earlier, ...later].toSorted(([a], [b]) => byteOrder(a, b)));
}

/** As Go reads a boolean. */
export function isTrue(setting: DifySetting): boolean {
  return ['1', 't', 'true'].includes(textOf(setting).toLowerCase());
}

export function textOf({ value }: DifySetting): string {
  return typeof value === 'string' ? value : value.join(',');
}

export function listOf({ value }: DifySetting): readonly string[] {
  return typeof value === 'string' ? value.split(',').map((element) => element.trim()) : value;
}

function hasOnlyComments(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(?:#|$)/.test(line));
}

function elementsOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function scalarOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim();
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function elementsOfList(values: readonly unknown[]): readonly string[] | undefined {
  const texts = values.map((value) => (value === null ? '' : scalarOf(value)));
  const scalars = texts.filter((text) => text !== undefined);
  return scalars.length < texts.length ? undefined : scalars.filter((text) => text !== '');
}

function valueProblem(key: string, value: unknown, place: SourcePlace): Problem {
  const message = `${quotedWord(key)}: dify-sandbox has no such setting, got ${quotedValue(value)}`;
  return { code: 'E_CONFIG_VALUE', message, hint: 'write one value, or a list of values', place };
}

function lineProblem(line: string, place: SourcePlace): Problem {
  // What stands there may be a secret.
  const message = `a line of ${line.length} characters is no variable`;
  return { code: 'E_CONFIG_VALUE', message, hint: 'write NAME=value', place };
}
