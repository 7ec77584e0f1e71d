import { describe, expect, it } from 'vitest';
import type { NetworkSettings } from '../../src/recipe/network.ts';
import { isNetworkWithin } from '../../src/serve/network-within.ts';

const HOST: NetworkSettings = { mode: 'host', proxies: {} };

function proxy(...allow: readonly string[]): NetworkSettings {
  return { mode: 'proxy', allow };
}

describe('isNetworkWithin()', () => {
  it.each([
    ['none', 'none'],
    ['none', HOST],
    [HOST, HOST],
    [proxy('*'), HOST],
    [proxy('a.example'), proxy('a.example', 'b.example')],
    [proxy('a.example'), proxy('*.example')],
    [proxy('*.a.example'), proxy('*.example')],
    [proxy('*.example'), proxy('*.example')],
    [proxy('a.example', '*.example', '*'), proxy('*')],
    [proxy('a.example:443'), proxy('a.example')],
    [proxy('10.0.0.1:80'), proxy('10.0.0.1')],
    [proxy('a.example'), proxy('a.example:80', 'a.example:443')],
  ] as const)('%j is within %j', (wanted, allowed) => {
    expect(isNetworkWithin(wanted, allowed)).toBe(true);
  });

  it.each([
    [HOST, 'none'],
    [HOST, proxy('*')],
    [proxy('a.example'), 'none'],
    [proxy('example'), proxy('*.example')],
    [proxy('*.example'), proxy('a.example')],
    [proxy('evil-example'), proxy('*.example')],
    [proxy('*'), proxy('*.example')],
    [proxy('a.example:8443'), proxy('a.example')],
    [proxy('a.example'), proxy('a.example:443')],
    [proxy('10.0.0.1'), proxy('*')],
    [proxy('169.254.169.254'), proxy('a.example')],
    [proxy('a.example', 'b.example'), proxy('a.example')],
  ] as const)('%j is beyond %j', (wanted, allowed) => {
    expect(isNetworkWithin(wanted, allowed)).toBe(false);
  });
});
