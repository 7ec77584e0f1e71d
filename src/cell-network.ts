import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { isErrno, RootcellarError } from './base/rootcellar-error.ts';
import type { NetworkSettings, ProxyNetwork } from './recipe/network.ts';
import type { Variables } from './run/cell-environment.ts';
import type { Lookup } from './run/egress-connect.ts';
import { startEgressProxy } from './run/egress-proxy.ts';
import type { CellNetwork } from './run/launch-plan.ts';
import type { NetworkEnforcement } from './run/network-enforcement.ts';
import { hostVariables, proxyVariables } from './run/network-variables.ts';
import type { RunEvent } from './run/run-report.ts';

export interface CellNetworkRequest {
  readonly network: NetworkSettings;
  readonly enforcement: NetworkEnforcement;
  /** Absolute path of the folder for the socket of a proxy; short, since the whole path has at most 107 bytes. */
  readonly runFolder: string;
  /** Of the caller: what the recipe's addresses name. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The machine's own resolver when undefined. */
  readonly lookup?: Lookup | undefined;
}

/** The network of one run, from before its cell until after it. */
export interface OpenNetwork {
  readonly plan: CellNetwork | undefined;
  readonly variables: Variables;
  /** What the program asked for. */
  events(): readonly RunEvent[];
  close(): Promise<void>;
}

/** The port of the proxy in cells with a network of their own; the usual one of HTTP proxies. */
const PROXY_PORT = 3128;
const PROXY_PREFIX = 'proxy-';
/** A folder without a socket that is younger may be about to get one. */
const STALE_MS = 60_000;
/** Landlock lets the program connect to that port, whoever listens there. */
const WEAK: RunEvent = { kind: 'weak', layer: 'network' };
const LARGEST_ETC_FILE = 65_536;

/**
 * What a run needs to reach what it may: a proxy, or what the host knows of names. The caller closes it.
 * Throws E_SANDBOX for a network that cannot be enforced, E_POLICY for addresses that cannot be filled in.
 */
export async function openCellNetwork(request: CellNetworkRequest): Promise<OpenNetwork> {
  const { network, enforcement, environment } = request;
  if (enforcement.kind === 'impossible') {
    throw new RootcellarError('E_SANDBOX', `\`network: proxy\`: ${enforcement.reason}`, { hint: 'rootcellar doctor' });
  }
  if (network === 'none') return closed(undefined, {});
  if (network.mode === 'proxy') return openProxy(request, network);
  const variables = hostVariables(network.proxies, environment);
  const [resolver, hosts] = [etcFile('/etc/resolv.conf'), etcFile('/etc/hosts')];
  return closed({ kind: 'host', resolver, hosts }, variables);
}

function closed(plan: CellNetwork | undefined, variables: Variables): OpenNetwork {
  return { plan, variables, events: () => [], close: () => Promise.resolve() };
}

async function openProxy(request: CellNetworkRequest, { allow }: ProxyNetwork): Promise<OpenNetwork> {
  if (allow.length === 0) {
    throw new RootcellarError('E_POLICY', '`network: proxy`: no host is allowed', {
      hint: '--allow-host pypi.org, or `network: { proxy: { allow: [pypi.org] } }` in the recipe',
    });
  }
  const isOwn = request.enforcement.kind === 'namespace';
  if (isOwn) await sweepProxies(request.runFolder);
  const socket = join(request.runFolder, `${PROXY_PREFIX}${randomUUID()}`, 'socket');
  const place = isOwn ? { socket } : ({ port: 'any' } as const);
  const proxy = await startEgressProxy({ allow, place, lookup: request.lookup ?? systemLookup });
  const port = proxy.port ?? PROXY_PORT;
  return {
    plan: { kind: 'proxy', port, socket: isOwn ? socket : undefined },
    variables: proxyVariables(port),
    events: () => [...(isOwn ? [] : [WEAK]), ...proxy.events()],
    close: () => proxy.close(),
  };
}

async function systemLookup(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}

/** Empty where there is none: the C library then has its defaults. */
function etcFile(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length <= LARGEST_ETC_FILE && !text.includes('\0')) return text;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
  throw new RootcellarError('E_SANDBOX', `${path}: is too large or no text`, {
    hint: 'rootcellar run --network none …',
  });
}

/** Removes what proxies have left whose process was killed. */
async function sweepProxies(runFolder: string): Promise<void> {
  const names = readdirSync(runFolder).filter((name) => name.startsWith(PROXY_PREFIX));
  for (const folder of names.map((name) => join(runFolder, name))) {
    if (await isAbandoned(folder)) rmSync(folder, { recursive: true, force: true });
  }
}

/** The kernel refuses a connection with a socket that nobody has open any more: connect(2). */
async function isAbandoned(folder: string): Promise<boolean> {
  const failure = await new Promise<unknown>((resolve) => {
    const socket = connect(join(folder, 'socket'), () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', resolve);
  });
  if (isErrno(failure, 'ECONNREFUSED')) return true;
  const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
  return isErrno(failure, 'ENOENT') && made !== undefined && made < Date.now() - STALE_MS;
}
