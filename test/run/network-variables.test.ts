import { describe, expect, it } from 'vitest';
import { hostVariables, proxyVariables } from '../../src/run/network-variables.ts';

describe('proxyVariables()', () => {
  it('names the proxy in both cases', () => {
    const address = 'http://127.0.0.1:3128';
    expect(proxyVariables(3128)).toEqual({
      http_proxy: address,
      HTTP_PROXY: address,
      https_proxy: address,
      HTTPS_PROXY: address,
      all_proxy: address,
      ALL_PROXY: address,
    });
  });
});

const filled =
  (P: string | undefined): (() => unknown) =>
  () =>
    hostVariables({ http: 'http://u:${P}@p' }, { P });

describe('hostVariables()', () => {
  it('fills in what the caller has, in both cases', () => {
    const proxies = { http: 'http://${U}:${P}@p:1', socks5: '${SOCKS}', noProxy: ['a', '.b'] };
    const environment = { U: 'me', P: 'hunter2', SOCKS: 'socks5://q:1080', OTHER: 'x' };
    expect(hostVariables(proxies, environment)).toEqual({
      http_proxy: 'http://me:hunter2@p:1',
      HTTP_PROXY: 'http://me:hunter2@p:1',
      all_proxy: 'socks5://q:1080',
      ALL_PROXY: 'socks5://q:1080',
      no_proxy: 'a,.b',
      NO_PROXY: 'a,.b',
    });
    expect(hostVariables({}, environment)).toEqual({});
  });

  it('refuses a variable that is not set or gives no address, without its value', () => {
    expect(filled(undefined)).toThrow('sandbox.network.host.http: the variable P is not set');
    expect(filled('hunter 2')).toThrow('its variables give no address');
    expect(filled('hunter 2')).not.toThrow('hunter');
  });
});
