import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { NETWORK_MODES, networkMode, type NetworkSettings } from '../recipe/network.ts';
import { plainNetwork, readAllowedHost } from '../recipe/network-schema.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { RunFlags } from './command-line.ts';

/**
 * The network that the command line wants; undefined: that of the image. `--allow-host` alone means a proxy, and what it
 * names takes the place of the recipe's hosts. A mode that the image has already comes with the recipe's settings.
 * Throws E_USAGE.
 */
export function networkSetting(
  { network: mode, allowHost: hosts }: Pick<RunFlags, 'network' | 'allowHost'>,
  own: NetworkSettings,
): NetworkSettings | undefined {
  const wanted = mode ?? (hosts === undefined ? undefined : 'proxy');
  if (wanted === undefined) return undefined;
  const known = NETWORK_MODES.find((one) => one === wanted);
  if (known === undefined) {
    throw new RootcellarError('E_USAGE', `--network: there is no ${quotedWord(wanted)}`, {
      hint: `use ${NETWORK_MODES.join(', ')}`,
    });
  }
  if (hosts === undefined) return networkMode(own) === known ? own : plainNetwork(known);
  if (known === 'proxy') return { mode: known, allow: [...new Set(hosts.map(allowedHost))].toSorted(byteOrder) };
  throw new RootcellarError('E_USAGE', `--allow-host: is for a proxy, not for --network ${known}`, {
    hint: 'leave one of the two out',
  });
}

function allowedHost(text: string): string {
  const read = readAllowedHost(text);
  if ('value' in read) return read.value;
  throw new RootcellarError('E_USAGE', `--allow-host: ${read.fault}`, { hint: read.hint });
}
