import { fillAddress } from '../recipe/address-text.ts';
import { isProxyAddress } from '../recipe/network-schema.ts';
import type { ProxyAddresses } from '../recipe/network.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Variables } from './cell-environment.ts';

/** What tells programs of the proxy of their cell. No SOCKS address: some clients stop at one that they cannot use. */
export function proxyVariables(port: number): Variables {
  const address = `http://127.0.0.1:${port}`;
  return inBothCases({ http_proxy: address, https_proxy: address, all_proxy: address });
}

/**
 * What tells programs of the proxies of the host's network, with the variables of `environment` filled in.
 * Throws E_POLICY for a variable that is not set, or that stands for no address; no value is in the message.
 */
export function hostVariables(
  proxies: ProxyAddresses,
  environment: Readonly<Record<string, string | undefined>>,
): Variables {
  const filled = (['http', 'https', 'socks5'] as const).flatMap((kind) => {
    const address = proxies[kind];
    return address === undefined ? [] : [[VARIABLES[kind], filledAddress(kind, address, environment)] as const];
  });
  const { noProxy } = proxies;
  return inBothCases({
    ...Object.fromEntries(filled),
    ...(noProxy === undefined ? {} : { no_proxy: noProxy.join(',') }),
  });
}

const VARIABLES = { http: 'http_proxy', https: 'https_proxy', socks5: 'all_proxy' } as const;

function filledAddress(
  kind: keyof typeof VARIABLES,
  address: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const { text, missing } = fillAddress(address, environment);
  const [name] = missing;
  if (name !== undefined) {
    throw new RootcellarError('E_POLICY', `sandbox.network.host.${kind}: the variable ${name} is not set`, {
      hint: `export ${name}=…`,
    });
  }
  if (isProxyAddress(text, kind)) return text;
  throw new RootcellarError('E_POLICY', `sandbox.network.host.${kind}: its variables give no address of a proxy`, {
    hint: 'write reserved characters of user and password as `%40` and the like',
  });
}

/** Which of the two a client reads, differs. */
function inBothCases(variables: Variables): Variables {
  const entries = Object.entries(variables);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => [
      [name, value],
      [name.toUpperCase(), value],
    ]),
  );
}
