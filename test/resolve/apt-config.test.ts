import { describe, expect, it } from 'vitest';
import { parseAptPaths, pinPreferences, privateAptConfig, transportSettings } from '../../src/resolve/apt-config.ts';

describe('transportSettings()', () => {
  it('keeps proxies and drops all that weakens the signature check', () => {
    const dump = [
      'Acquire "";',
      'Acquire::http::Proxy "http://proxy.example:3128";',
      'Acquire::AllowInsecureRepositories "1";',
      'Acquire::AllowWeakRepositories "1";',
      'Acquire::AllowDowngradeToInsecureRepositories "1";',
      'Acquire::GzipIndexes "true";',
      'Acquire::Retries "5";',
      'APT::Get::AllowUnauthenticated "1";',
      'Acquire::http::Evil "x"; APT::Get::AllowUnauthenticated "1";',
    ].join('\n');
    expect(transportSettings(dump)).toEqual([
      'Acquire::http::Proxy "http://proxy.example:3128";',
      'Acquire::Retries "5";',
    ]);
  });
});

describe('privateAptConfig()', () => {
  it('sets its own values after those of the machine', () => {
    const paths = parseAptPaths("trusted='/m/trusted.gpg'\n");
    const text = privateAptConfig({ folder: '/f', architecture: 'arm64', paths, transport: ['Acquire::Retries "5";'] });
    expect(text.indexOf('Retries')).toBeLessThan(text.indexOf('AllowInsecureRepositories "false"'));
    expect(text).toContain('Dir "/f";');
    expect(text).toContain('APT::Architecture "arm64";');
    expect(text).toContain('Dir::Etc::trusted "/m/trusted.gpg";');
  });
});

describe('pinPreferences()', () => {
  const locked = new Map([
    ['a', '1:2-3'],
    ['b', '4'],
  ]);

  it('writes one stanza per package', () => {
    expect(pinPreferences({ locked, peer: new Map() })).toBe(
      'Package: a\nPin: version 1:2-3\nPin-Priority: 1001\n\nPackage: b\nPin: version 4\nPin-Priority: 1001\n',
    );
  });

  it('takes any build of what the peer has, and lets go of what is locked of another source', () => {
    const peer = new Map([
      ['a', '1:2-3+b1'],
      ['b', '5'],
    ]);
    const text = pinPreferences({ locked, peer });
    const pins = [...text.matchAll(/Package: (\w+)\nPin: version (\S+)\nPin-Priority: (\d+)\n/g)].map((match) =>
      match.slice(1).join(' '),
    );
    expect(pins).toEqual(['a 1:2-3 1001', 'a 1:2-3 1000', 'a 1:2-3+b* 1000', 'b 5 1000', 'b 5+b* 1000']);
  });
});
