import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedHostText, hostText, parseAddress, parseAllowedHost, parseHost } from '../../src/recipe/network-host.ts';

function spelled(text: string): string | undefined {
  const host = parseHost(text);
  return host === undefined ? undefined : `${host.kind} ${hostText(host)}`;
}

describe('parseHost()', () => {
  it.each([
    ['PyPI.org', 'name pypi.org'],
    ['pypi.org.', 'name pypi.org'],
    ['bücher.example', 'name xn--bcher-kva.example'],
    ['127.0.0.1', 'address 127.0.0.1'],
    ['0x7f.1', 'address 127.0.0.1'],
    ['0177.0.0.1', 'address 127.0.0.1'],
    ['2130706433', 'address 127.0.0.1'],
    ['127.1', 'address 127.0.0.1'],
    ['１２７.0.0.1', 'address 127.0.0.1'],
    ['[::1]', 'address [::1]'],
    ['[0:0:0:0:0:0:0:1]', 'address [::1]'],
    ['[::ffff:127.0.0.1]', 'address 127.0.0.1'],
    ['[::ffff:a9fe:a9fe]', 'address 169.254.169.254'],
    ['[::ffff:0:1]', 'address 0.0.0.1'],
    ['[::127.0.0.1]', 'address [::7f00:1]'],
  ])('reads %s as %s', (text, host) => {
    expect(spelled(text)).toBe(host);
  });

  it.each([
    '',
    ' ',
    'a b',
    'a/b',
    'a@b',
    'a:1',
    '1.2.3.4.5',
    '256.1.1.1',
    '[::1',
    '::1',
    '[fe80::1%lo]',
    'a..b',
    'a\0b',
    '*',
    '*.a',
    'a%2eb',
    'x'.repeat(254),
  ])('refuses %j', (text) => {
    expect(spelled(text)).toBeUndefined();
  });

  it('gives what it reads as the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.domain(),
          fc.ipV4Extended(),
          fc.ipV6().map((address) => `[${address}]`),
        ),
        (text) => {
          const host = parseHost(text);
          expect(host === undefined ? undefined : parseHost(hostText(host))).toEqual(host);
        },
      ),
    );
  });
});

describe('parseAddress()', () => {
  it('reads what resolvers give, and no names', () => {
    expect(parseAddress('::ffff:10.0.0.1')).toMatchObject({ address: '10.0.0.1', family: 4 });
    expect(parseAddress('2001:db8::1')).toMatchObject({ address: '2001:db8::1', family: 6 });
    expect(['localhost', 'fe80::1%eth0', ''].map(parseAddress)).toEqual([undefined, undefined, undefined]);
  });
});

describe('parseAllowedHost()', () => {
  it.each([
    ['pypi.org', 'pypi.org'],
    ['API.example.com:8443', 'api.example.com:8443'],
    ['*.Example.com', '*.example.com'],
    ['*.example.com:8080', '*.example.com:8080'],
    ['*', '*'],
    ['*:8443', '*:8443'],
    ['10.5:80', '10.0.0.5:80'],
    ['[2001:DB8::1]:443', '[2001:db8::1]:443'],
  ])('reads %s as %s', (text, canonical) => {
    const allowed = parseAllowedHost(text);
    expect(allowed === undefined ? undefined : allowedHostText(allowed)).toBe(canonical);
  });

  it.each(['', ':80', 'a:0', 'a:65536', 'a:x', '*.1.2.3.4', '*.*', 'a.*', '**.b', '10.0.0.0/8', 'http://a', 'a:80:80'])(
    'refuses %j',
    (text) => {
      expect(parseAllowedHost(text)).toBeUndefined();
    },
  );
});
