import { isTrue, listOf, textOf, type DifyConfig, type DifySetting, type ImportNote } from './dify-config.ts';
import { isProxyAddress } from './network-schema.ts';

/** The part of a recipe's `sandbox` for `enable_network` and `proxy`, empty where runs have no network. */
export interface NetworkParts {
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly notes: readonly ImportNote[];
}

const HOST_MEANS =
  'runs get the network of the host, as in dify-sandbox; `network: { proxy: { allow: [pypi.org] } }` lets them reach named hosts alone';

/** In dify-sandbox, runs with a network have that of its container, and are told of proxies by variables. */
export function importNetwork(config: DifyConfig): NetworkParts {
  const enabled = config.get('enable_network');
  const settings = PROXIES.flatMap((kind) => config.get(`proxy.${kind}`) ?? []).filter((one) => textOf(one) !== '');
  if (enabled === undefined || !isTrue(enabled)) {
    const text = 'has no effect: `enable_network` is off';
    return { recipe: {}, notes: settings.map((setting) => ({ setting, text })) };
  }
  const notes: ImportNote[] = [{ setting: enabled, text: HOST_MEANS }];
  const parts = settings.map((setting) => proxyPart(setting, config));
  notes.push(...parts.flatMap((part) => part.notes));
  const proxies = Object.assign({}, ...parts.map((part) => part.recipe));
  return { recipe: { network: Object.keys(proxies).length === 0 ? 'host' : { host: proxies } }, notes };
}

const PROXIES = ['socks5', 'https', 'http', 'no_proxy'] as const;

/** dify-sandbox takes the SOCKS proxy for everything where there is one. */
function proxyPart(setting: DifySetting, config: DifyConfig): NetworkParts {
  const kind = setting.key.slice('proxy.'.length);
  if (kind === 'no_proxy')
    return { recipe: { no_proxy: listOf(setting).flatMap((hosts) => hosts.match(/\S+/g) ?? []) }, notes: [] };
  const socks = config.get('proxy.socks5');
  if (kind !== 'socks5' && socks !== undefined && textOf(socks) !== '')
    return noted(setting, 'has no effect beside `proxy.socks5`');
  if (kind === 'http' || kind === 'https' || kind === 'socks5') return addressPart(setting, kind);
  throw new Error(`unreachable: no proxy ${kind}`);
}

/** User and password become variables: a recipe must not have them. */
function addressPart(setting: DifySetting, kind: 'http' | 'https' | 'socks5'): NetworkParts {
  const text = textOf(setting);
  if (!isProxyAddress(text, kind) || !URL.canParse(text)) return noted(setting, 'is no address of a proxy');
  const { username, password } = new URL(text);
  if (username === '' && password === '') return { recipe: { [kind]: text }, notes: [] };
  const name = `${kind.toUpperCase()}_PROXY`;
  const words = [`${name}_USER`, ...(password === '' ? [] : [`${name}_PASSWORD`])];
  const address = text.replace(/^([a-z0-9]+:\/\/).*@/i, `$1${words.map((word) => `\${${word}}`).join(':')}@`);
  const were = password === '' ? 'its user became a variable' : 'its user and password became variables';
  const note = `${were}: export ${words.map((word) => `${word}=…`).join(' ')} where runs are started`;
  return { recipe: { [kind]: address }, notes: [{ setting, text: note }] };
}

function noted(setting: DifySetting, text: string): NetworkParts {
  return { recipe: {}, notes: [{ setting, text }] };
}
