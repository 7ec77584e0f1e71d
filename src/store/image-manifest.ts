import type { TrimmedFiles } from '../assemble/trim-tree.ts';
import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import type { Json } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';
import { isDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { NetworkSettings, ProxyAddresses } from '../recipe/network.ts';
import type { Limits, SandboxSettings, Tier } from '../recipe/recipe.ts';
import type { Interpreter } from '../resolve/resolution.ts';
import { listFrom, numberFrom, recordFrom, textFrom, textsFrom } from './json-shape.ts';

/**
 * What the build says of an image. The store's copy is what a run goes by; the one in the image, without the filter, is
 * for whoever finds the image alone.
 */
export interface ImageManifest {
  readonly name: string;
  readonly architecture: Architecture;
  /** The lockfile's format. */
  readonly format: number;
  /** Identifies the locked inputs (`targetKey`). */
  readonly key: Digest;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly interpreter: Interpreter | undefined;
  /** What each rule of the recipe's `trim` took; left out where nothing was to be trimmed. */
  readonly trimmed?: readonly TrimmedFiles[];
  readonly sandbox: SandboxSettings;
  /** The compiled filter of `sandbox.syscalls`: base64 of little-endian `struct sock_filter[]`. */
  readonly filter: string;
}

export function manifestJson(manifest: ToldManifest | ImageManifest): Json {
  const { interpreter, trimmed, sandbox, ...rest } = manifest;
  const { syscalls, limits } = sandbox;
  return {
    ...rest,
    interpreter: interpreter === undefined ? undefined : { ...interpreter },
    trimmed: trimmed?.map(({ rule, files, bytes }) => ({ rule, files, bytes })),
    sandbox: { ...sandbox, network: networkJson(sandbox.network), syscalls: { ...syscalls }, limits: { ...limits } },
  };
}

/** Reads what `manifestJson` made, filter included. Throws E_STORE_INVALID for anything else. */
export function readManifest(json: Json): ImageManifest {
  try {
    return manifestFrom(json);
  } catch (cause) {
    throw new RootcellarError('E_STORE_INVALID', 'an image’s manifest in the store is damaged', {
      hint: 'build the image again',
      cause,
    });
  }
}

/** The manifest as it lies in an image. */
export type ToldManifest = Omit<ImageManifest, 'filter'>;

/** Reads the manifest of an image that may be anybody's; undefined when it is none. */
export function readToldManifest(text: string): ToldManifest | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const { filter: _, ...told } = manifestFrom({ ...recordFrom(value), filter: '' });
    return told;
  } catch {
    return undefined;
  }
}

function manifestFrom(json: unknown): ImageManifest {
  const record = recordFrom(json);
  const architecture = parseArchitecture(textFrom(record['architecture']));
  const key = textFrom(record['key']);
  if (architecture === undefined || !isDigest(key)) throw new Error('its architecture or key is malformed');
  return {
    name: textFrom(record['name']),
    architecture,
    format: numberFrom(record['format']),
    key,
    epoch: numberFrom(record['epoch']),
    interpreter: record['interpreter'] === undefined ? undefined : interpreterFrom(record['interpreter']),
    ...(record['trimmed'] === undefined ? {} : { trimmed: listFrom(record['trimmed']).map(trimmedFrom) }),
    sandbox: sandboxFrom(record['sandbox']),
    filter: textFrom(record['filter']),
  };
}

function trimmedFrom(value: unknown): TrimmedFiles {
  const record = recordFrom(value);
  return { rule: textFrom(record['rule']), files: numberFrom(record['files']), bytes: numberFrom(record['bytes']) };
}

function interpreterFrom(value: unknown): Interpreter {
  const record = recordFrom(value);
  return {
    version: textFrom(record['version']),
    path: textFrom(record['path']),
    glibc: textFrom(record['glibc']),
    sitePath: textFrom(record['sitePath']),
    prefix: textFrom(record['prefix']),
    ...(record['stdlib'] === undefined ? {} : { stdlib: textFrom(record['stdlib']) }),
  };
}

function sandboxFrom(value: unknown): SandboxSettings {
  const record = recordFrom(value);
  const syscalls = recordFrom(record['syscalls']);
  return {
    syscalls: {
      profile: textFrom(syscalls['profile']),
      allow: textsFrom(syscalls['allow']),
      deny: textsFrom(syscalls['deny']),
    },
    network: networkFrom(record['network']),
    limits: limitsFrom(record['limits']),
    minimumTier: tierFrom(record['minimumTier']),
    ...(record['proc'] === true ? { proc: true } : {}),
    ...(record['preimport'] === undefined ? {} : { preimport: textsFrom(record['preimport']) }),
  };
}

function networkJson(network: NetworkSettings): Json {
  if (network === 'none') return network;
  if (network.mode === 'proxy') return { mode: network.mode, allow: network.allow };
  return { mode: network.mode, proxies: { ...network.proxies } };
}

function networkFrom(value: unknown): NetworkSettings {
  if (value === 'none') return value;
  const record = recordFrom(value);
  if (record['mode'] === 'proxy') return { mode: 'proxy', allow: textsFrom(record['allow']) };
  if (record['mode'] === 'host') return { mode: 'host', proxies: proxiesFrom(recordFrom(record['proxies'])) };
  throw new Error('its network is malformed');
}

function proxiesFrom(record: Readonly<Record<string, unknown>>): ProxyAddresses {
  return {
    ...(record['http'] === undefined ? {} : { http: textFrom(record['http']) }),
    ...(record['https'] === undefined ? {} : { https: textFrom(record['https']) }),
    ...(record['socks5'] === undefined ? {} : { socks5: textFrom(record['socks5']) }),
    ...(record['noProxy'] === undefined ? {} : { noProxy: textsFrom(record['noProxy']) }),
  };
}

function limitsFrom(value: unknown): Limits {
  const record = recordFrom(value);
  return {
    memoryBytes: numberFrom(record['memoryBytes']),
    processes: numberFrom(record['processes']),
    cpuMs: numberFrom(record['cpuMs']),
    wallMs: numberFrom(record['wallMs']),
    outputBytes: numberFrom(record['outputBytes']),
    tmpBytes: numberFrom(record['tmpBytes']),
    openFiles: numberFrom(record['openFiles']),
  };
}

function tierFrom(value: unknown): Tier {
  if (value === 'A' || value === 'B' || value === 'C' || value === 'D') return value;
  throw new Error('its tier is malformed');
}
