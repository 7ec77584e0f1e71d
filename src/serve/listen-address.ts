import { RootcellarError } from '../base/rootcellar-error.ts';
import { quotedWord } from '../recipe/quoted-value.ts';

export interface ListenAddress {
  /** A name or an address, without brackets. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** What is listened on when nothing says otherwise; the port is dify-sandbox's. */
export const DEFAULT_ADDRESS: ListenAddress = { host: '127.0.0.1', port: 8194 };

const ADDRESS = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/i;

/**
 * Reads `HOST:PORT`, `HOST`, `:PORT` or `PORT`; what is left out comes from `preset`, but `:PORT` alone means every address, as
 * elsewhere. IPv6 stands in brackets. Throws E_USAGE.
 */
export function parseListenAddress(text: string, preset: ListenAddress): ListenAddress {
  if (/^\d{1,5}$/.test(text)) return parseListenAddress(`${preset.host}:${text}`, preset);
  const [, bracketed, plain, digits] = ADDRESS.exec(text) ?? [];
  const port = digits === undefined ? preset.port : Number(digits);
  const host = bracketed ?? plain;
  if (text === '' || host === undefined || port > 65_535) {
    throw new RootcellarError('E_USAGE', `--listen: ${quotedWord(text)} is no address`, {
      hint: 'write HOST:PORT, such as 0.0.0.0:8194 or [::1]:8194',
    });
  }
  return { host: host === '' ? '0.0.0.0' : host, port };
}
