import { describe, expect, it } from 'vitest';
import { parseAddress, parseAllowedHost, parseHost, type AllowedHost } from '../../src/recipe/network-host.ts';
import { judgeTarget, mayConnect } from '../../src/run/egress-rules.ts';

function rules(...texts: readonly string[]): readonly AllowedHost[] {
  return texts.flatMap((text) => parseAllowedHost(text) ?? []);
}

function judged(allow: readonly AllowedHost[], text: string, port: number): string | undefined {
  const host = parseHost(text);
  if (host === undefined) throw new Error(`${text} is no host`);
  return judgeTarget(allow, host, port);
}

describe('judgeTarget()', () => {
  const allow = rules('pypi.org', '*.example.com', 'api.test:8443', '10.0.0.5:8080', '[2001:db8::1]');
  it.each([
    ['pypi.org', 443, undefined],
    ['PYPI.ORG.', 80, undefined],
    ['pypi.org', 22, 'port_not_allowed'],
    ['files.pypi.org', 443, 'host_not_allowed'],
    ['notpypi.org', 443, 'host_not_allowed'],
    ['a.example.com', 443, undefined],
    ['a.b.example.com', 443, undefined],
    ['example.com', 443, 'host_not_allowed'],
    ['notexample.com', 443, 'host_not_allowed'],
    ['a.example.com.evil.test', 443, 'host_not_allowed'],
    ['api.test', 8443, undefined],
    ['api.test', 443, 'port_not_allowed'],
    ['10.5', 8080, undefined],
    ['167772165', 8080, undefined],
    ['[::ffff:10.0.0.5]', 8080, undefined],
    ['10.0.0.6', 8080, 'host_not_allowed'],
    ['[2001:db8:0::1]', 443, undefined],
  ] as const)('of %s and %d is %s', (host, port, reason) => {
    expect(judged(allow, host, port)).toBe(reason);
  });

  it('of everything is that of the port', () => {
    expect(judged(rules('*'), 'any.test', 443)).toBeUndefined();
    expect(judged(rules('*'), 'any.test', 25)).toBe('port_not_allowed');
    expect(judged(rules('*', '*:25'), '1.1.1.1', 25)).toBeUndefined();
    expect(judged([], 'any.test', 443)).toBe('host_not_allowed');
  });
});

describe('mayConnect()', () => {
  it.each([
    ['8.8.8.8', 443, true],
    ['10.0.0.5', 8080, true],
    ['10.0.0.5', 443, false],
    ['10.0.0.6', 8080, false],
    ['127.0.0.1', 8080, false],
  ] as const)('of %s and %d is %s', (text, port, may) => {
    const address = parseAddress(text);
    if (address?.kind !== 'address') throw new Error(`${text} is no address`);
    expect(mayConnect(rules('*', 'inside.test:8080', '10.0.0.5:8080'), address, port)).toBe(may);
  });
});
