import { describe, expect, it } from 'vitest';
import { networkSetting } from '../../src/cli/network-flags.ts';

const OWN = { mode: 'proxy', allow: ['own.example'] } as const;

describe('networkSetting()', () => {
  it('leaves what the image has alone when nothing is said', () => {
    expect(networkSetting({}, OWN)).toBeUndefined();
  });

  it.each([
    [{ network: 'none' }, 'none'],
    [{ network: 'host' }, { mode: 'host', proxies: {} }],
    [{ network: 'proxy' }, OWN],
    [
      { network: 'proxy', allowHost: ['B', 'a:1', 'b'] },
      { mode: 'proxy', allow: ['a:1', 'b'] },
    ],
    [{ allowHost: ['a'] }, { mode: 'proxy', allow: ['a'] }],
  ])('takes %j', (flags, network) => {
    expect(networkSetting(flags, OWN)).toEqual(network);
  });

  it('keeps the recipe’s proxies with its own mode', () => {
    const own = { mode: 'host', proxies: { http: 'http://p' } } as const;
    expect(networkSetting({ network: 'host' }, own)).toEqual(own);
    expect(networkSetting({ network: 'proxy' }, own)).toEqual({ mode: 'proxy', allow: [] });
  });

  it.each([
    [{ network: 'all' }, '--network: there is no `all`'],
    [{ network: 'host', allowHost: ['a'] }, '--allow-host: is for a proxy, not for --network host'],
    [{ allowHost: ['a/b'] }, '--allow-host: must be a host, with or without a port, got `"a/b"`'],
  ])('refuses %j', (flags, message) => {
    expect(() => networkSetting(flags, 'none')).toThrow(expect.objectContaining({ code: 'E_USAGE', message }));
  });
});
