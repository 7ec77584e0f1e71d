import { parse } from 'smol-toml';
import type { Environment } from './resolver-settings.ts';

/** Package indexes that a tool is set up for. Addresses may carry credentials. */
export interface IndexSettings {
  /** Replaces the tool's own default; undefined: that default stands. */
  readonly main: string | undefined;
  readonly extra: readonly string[];
}

const NOTHING: IndexSettings = { main: undefined, extra: [] };

export function isSet(settings: IndexSettings): boolean {
  return settings.main !== undefined || settings.extra.length > 0;
}

/** uv's environment variables. Source: uv's reference, "Environment variables". */
export function uvEnvironmentIndexes(environment: Environment): IndexSettings {
  const named = wordsOf(environment['UV_INDEX']).map((word) => withUvCredentials(word, environment));
  return {
    main: textOf(environment['UV_DEFAULT_INDEX']) ?? textOf(environment['UV_INDEX_URL']),
    extra: [...named, ...wordsOf(environment['UV_EXTRA_INDEX_URL'])],
  };
}

/** `name=url`, with the user and password that stand in `UV_INDEX_NAME_USERNAME` and `…_PASSWORD`. */
function withUvCredentials(word: string, environment: Environment): string {
  const [, name, url] = /^([A-Za-z0-9_.-]+)=(.+)$/.exec(word) ?? [];
  return url === undefined || name === undefined ? word : withNamedCredentials(url, name, environment);
}

function withNamedCredentials(url: string, name: string, environment: Environment): string {
  const key = `UV_INDEX_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
  return withCredentials(url, environment[`${key}_USERNAME`], environment[`${key}_PASSWORD`]);
}

/** Adds a user and password to an address that has none. */
export function withCredentials(url: string, username: string | undefined, password: string | undefined): string {
  if ((username ?? password) === undefined || !URL.canParse(url)) return url;
  const address = new URL(url);
  if (address.username !== '' || address.protocol === 'file:') return url;
  address.username = encodeURIComponent(username ?? '');
  address.password = encodeURIComponent(password ?? '');
  return address.href;
}

/** A `uv.toml`. Undefined when it is no TOML. Source: uv's reference, "Settings". */
export function uvFileIndexes(text: string, environment: Environment): IndexSettings | undefined {
  const table = parseToml(text);
  if (table === undefined) return undefined;
  const pip = recordOf(table['pip']);
  const indexes = [table['index'], pip['index']].flatMap((list) => (Array.isArray(list) ? list.map(recordOf) : []));
  const urls = indexes.flatMap((index) => {
    const url = textOf(index['url']);
    const name = textOf(index['name']);
    if (url === undefined || index['explicit'] === true) return [];
    return [
      { url: name === undefined ? url : withNamedCredentials(url, name, environment), main: index['default'] === true },
    ];
  });
  return {
    main: urls.find(({ main }) => main)?.url ?? textOf(table['index-url']) ?? textOf(pip['index-url']),
    extra: [
      ...urls.filter(({ main }) => !main).map(({ url }) => url),
      ...textsOf(table['extra-index-url']),
      ...textsOf(pip['extra-index-url']),
    ],
  };
}

/** pip's environment variables. Source: pip's documentation, "Configuration". */
export function pipEnvironmentIndexes(environment: Environment): IndexSettings {
  return { main: textOf(environment['PIP_INDEX_URL']), extra: wordsOf(environment['PIP_EXTRA_INDEX_URL']) };
}

/** A `pip.conf`: `[install]` wins over `[global]`. */
export function pipFileIndexes(text: string): IndexSettings {
  const sections = iniSections(text);
  return ['install', 'global']
    .map((name) => sections.get(name) ?? new Map<string, string>())
    .reduceRight<IndexSettings>(
      (found, section) => ({
        main: textOf(section.get('index-url')) ?? found.main,
        extra: section.has('extra-index-url') ? wordsOf(section.get('extra-index-url')) : found.extra,
      }),
      NOTHING,
    );
}

/** Sections of an INI file; indented lines go on with the value before. Source: Python's configparser. */
export function iniSections(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let key: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:[#;]|$)/.test(line)) continue;
    const [, header] = /^\[([^\]]+)\]/.exec(line) ?? [];
    const [, name, value = ''] = /^([^\s:=][^:=]*?)\s*[:=]\s*(.*)$/.exec(line) ?? [];
    if (header !== undefined) {
      section = sections.get(header) ?? new Map<string, string>();
      sections.set(header, section);
      key = undefined;
    } else if (/^\s/.test(line) && key !== undefined) section.set(key, `${section.get(key) ?? ''}\n${line.trim()}`);
    else if (name !== undefined) {
      key = name.toLowerCase().replaceAll('_', '-');
      section.set(key, value.trim());
    }
  }
  return sections;
}

/** Files where uv and pip look for their settings, least important first. */
export function settingsFiles(environment: Environment): {
  readonly uv: readonly string[];
  readonly pip: readonly string[];
} {
  const home = environment['HOME'];
  const config = textOf(environment['XDG_CONFIG_HOME']) ?? (home === undefined ? undefined : `${home}/.config`);
  const uvFile = textOf(environment['UV_CONFIG_FILE']);
  const pipFile = textOf(environment['PIP_CONFIG_FILE']);
  return {
    uv: uvFile === undefined ? ['/etc/uv/uv.toml', ...below(config, 'uv/uv.toml')] : [uvFile],
    pip: [
      '/etc/xdg/pip/pip.conf',
      '/etc/pip.conf',
      ...below(home, '.pip/pip.conf'),
      ...below(config, 'pip/pip.conf'),
      ...(pipFile === undefined ? [] : [pipFile]),
    ],
  };
}

function below(folder: string | undefined, path: string): readonly string[] {
  return folder === undefined ? [] : [`${folder}/${path}`];
}

/** Later ones win. */
export function mergeIndexes(settings: readonly IndexSettings[]): IndexSettings {
  return settings.reduce<IndexSettings>(
    (before, { main, extra }) => ({ main: main ?? before.main, extra: extra.length > 0 ? extra : before.extra }),
    NOTHING,
  );
}

/** The default index that a tool's help text names, or undefined. */
export function defaultIndexOf(help: string): string | undefined {
  const [, url] = /--(?:default-index|index-url)\b[^]*?\((?:by )?default:?\s+<?(https?:\/\/[^\s>)]+)/.exec(help) ?? [];
  return url;
}

export function parseToml(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return recordOf(parse(text));
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

export function textsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).flatMap((item: unknown) => textOf(item) ?? []);
}

export function wordsOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
