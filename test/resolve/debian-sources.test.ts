import { describe, expect, it } from 'vitest';
import {
  formatSources,
  parseListFile,
  parseSourcesFile,
  sourcesForSuite,
  type WantedSuite,
} from '../../src/resolve/debian-sources.ts';

const WANTED: WantedSuite = {
  suite: 'trixie',
  hostCodename: 'bookworm',
  components: ['main'],
  mirror: undefined,
  architecture: 'amd64',
  defaultKeyring: '/keys/default.gpg',
};

const MACHINE = parseSourcesFile(`Types: deb deb-src
URIs: http://a.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/a.gpg
Trusted: yes
Allow-Insecure: yes

Types: deb
URIs: http://a.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /keys/a.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main
`);

function listing(entries: ReturnType<typeof sourcesForSuite>): string[] {
  return entries.map(({ suites, uris, signedBy }) => `${suites.join()} ${uris.join()} ${signedBy ?? '-'}`);
}

describe('parseSourcesFile()', () => {
  it('leaves out disabled entries and sources', () => {
    expect(MACHINE.map(({ uris }) => uris)).toEqual([
      ['http://a.example/debian'],
      ['http://a.example/debian-security'],
    ]);
  });

  it('keeps a key that is written into the entry', () => {
    const [entry] = parseSourcesFile('Types: deb\nURIs: http://x\nSuites: s\nSigned-By:\n -----BEGIN\n .\n abc\n');
    expect(entry?.signedBy).toBe('\n-----BEGIN\n.\nabc');
  });
});

describe('parseListFile()', () => {
  it('reads options, and none that weaken the signature check', () => {
    const text =
      '# deb http://no\ndeb [arch=amd64,arm64 trusted=yes signed-by=/k.gpg] http://x/debian/ s main contrib # c\n';
    expect(parseListFile(text)).toEqual([
      {
        uris: ['http://x/debian'],
        suites: ['s'],
        components: ['main', 'contrib'],
        signedBy: '/k.gpg',
        architectures: ['amd64', 'arm64'],
      },
    ]);
  });

  it('skips deb-src and anything else', () => {
    expect(parseListFile('deb-src http://x s main\nnonsense\ndeb http://only')).toEqual([]);
  });
});

describe('sourcesForSuite()', () => {
  it('carries this machine’s own suites over, address and keys unchanged', () => {
    expect(listing(sourcesForSuite(MACHINE, WANTED))).toEqual([
      'trixie http://a.example/debian /keys/a.gpg',
      'trixie-updates http://a.example/debian /keys/a.gpg',
      'trixie-security http://a.example/debian-security /keys/a.gpg',
    ]);
  });

  it('takes the components that the recipe wants', () => {
    expect(sourcesForSuite(MACHINE, { ...WANTED, components: ['main', 'non-free'] })[0]?.components).toEqual([
      'main',
      'non-free',
    ]);
  });

  it('prefers an entry that names the suite itself', () => {
    const entries = [...MACHINE, ...parseListFile('deb [signed-by=/keys/t.gpg] http://t.example/debian trixie main')];
    expect(listing(sourcesForSuite(entries, WANTED))).toEqual([
      'trixie http://t.example/debian /keys/t.gpg',
      'trixie-updates http://a.example/debian /keys/a.gpg',
      'trixie-security http://a.example/debian-security /keys/a.gpg',
    ]);
  });

  it('takes a mirror for the suite and its updates, with this machine’s keys', () => {
    expect(listing(sourcesForSuite(MACHINE, { ...WANTED, mirror: 'http://m.example/d/' }))).toEqual([
      'trixie http://m.example/d /keys/a.gpg',
      'trixie-updates http://m.example/d /keys/a.gpg',
    ]);
  });

  it('falls back to Debian’s keyring for a mirror', () => {
    const [first] = sourcesForSuite([], { ...WANTED, mirror: 'http://m.example/d' });
    expect(first?.signedBy).toBe('/keys/default.gpg');
  });

  it('ignores entries of other architectures', () => {
    const entries = parseListFile('deb [arch=arm64] http://t.example/debian trixie main');
    expect(() => sourcesForSuite(entries, WANTED)).toThrow('debian suite `trixie`: apt has no source for it');
    expect(sourcesForSuite(entries, { ...WANTED, architecture: 'arm64' })).toHaveLength(1);
  });

  it('throws E_ARCHIVE_UNKNOWN with a hint when there is none', () => {
    expect(() => sourcesForSuite(MACHINE, { ...WANTED, hostCodename: undefined })).toThrow(
      expect.objectContaining({ code: 'E_ARCHIVE_UNKNOWN', hint: expect.stringContaining('base.debian.mirror') }),
    );
  });
});

describe('formatSources()', () => {
  it('writes what parseSourcesFile() reads, keys of several lines included', () => {
    const entries = parseSourcesFile(
      'Types: deb\nURIs: http://x\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n',
    );
    const again = parseSourcesFile(formatSources(entries, 'amd64'));
    expect(again).toEqual(entries.map((entry) => Object.assign({}, entry, { architectures: ['amd64'] })));
  });
});
