import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defaultIndexOf,
  mergeIndexes,
  pipEnvironmentIndexes,
  pipFileIndexes,
  settingsFiles,
  uvEnvironmentIndexes,
  uvFileIndexes,
  withCredentials,
} from '../../src/resolve/index-settings.ts';
import { netrcLogin } from '../../src/resolve/netrc.ts';
import { pipVariables, uvVariables } from '../../src/resolve/tool-variables.ts';

describe('uvEnvironmentIndexes()', () => {
  it('reads named indexes with their credentials', () => {
    const environment = {
      UV_INDEX: 'my-own=https://a.example/simple https://b.example/simple',
      UV_INDEX_MY_OWN_USERNAME: 'me',
      UV_INDEX_MY_OWN_PASSWORD: 'p@ss',
      UV_INDEX_URL: 'https://old.example/simple',
    };
    expect(uvEnvironmentIndexes(environment)).toEqual({
      main: 'https://old.example/simple',
      extra: ['https://me:p%40ss@a.example/simple', 'https://b.example/simple'],
    });
  });
});

describe('uvFileIndexes()', () => {
  it('reads [[index]] tables, default and explicit ones', () => {
    const text = `
[[index]]
url = "https://a.example/simple"
[[index]]
url = "https://d.example/simple"
default = true
[[index]]
url = "https://e.example/simple"
explicit = true
`;
    expect(uvFileIndexes(text, {})).toEqual({ main: 'https://d.example/simple', extra: ['https://a.example/simple'] });
  });

  it('refuses what is no TOML', () => {
    expect(uvFileIndexes('index = [', {})).toBeUndefined();
  });
});

describe('pipFileIndexes()', () => {
  it('prefers [install] to [global], and reads values of several lines', () => {
    const text =
      '[global]\nindex-url = https://g.example/simple\nextra-index-url =\n  https://x.example/s\n  https://y.example/s\n; c\n[install]\nindex_url: https://i.example/simple\n';
    expect(pipFileIndexes(text)).toEqual({
      main: 'https://i.example/simple',
      extra: ['https://x.example/s', 'https://y.example/s'],
    });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(Array.isArray(pipFileIndexes(text).extra)).toBe(true);
      }),
    );
  });
});

describe('mergeIndexes()', () => {
  it('lets later ones win', () => {
    const merged = mergeIndexes([
      pipFileIndexes('[global]\nindex-url=https://f.example/s\nextra-index-url=https://x.example/s'),
      pipEnvironmentIndexes({ PIP_INDEX_URL: 'https://e.example/s' }),
    ]);
    expect(merged).toEqual({ main: 'https://e.example/s', extra: ['https://x.example/s'] });
  });
});

describe('settingsFiles()', () => {
  it('knows the places of uv and pip', () => {
    expect(settingsFiles({ HOME: '/h', PIP_CONFIG_FILE: '/p.conf' })).toEqual({
      uv: ['/etc/uv/uv.toml', '/h/.config/uv/uv.toml'],
      pip: ['/etc/xdg/pip/pip.conf', '/etc/pip.conf', '/h/.pip/pip.conf', '/h/.config/pip/pip.conf', '/p.conf'],
    });
  });
});

describe('defaultIndexOf()', () => {
  it('reads the help texts of uv and of pip', () => {
    expect(
      defaultIndexOf('  --default-index <X>\n   The default package index (by default: <https://i.example/simple>).'),
    ).toBe('https://i.example/simple');
    expect(defaultIndexOf('  -i, --index-url <url>  Base URL (default https://i.example/simple). This')).toBe(
      'https://i.example/simple',
    );
    expect(defaultIndexOf('no such option')).toBeUndefined();
  });
});

describe('withCredentials()', () => {
  it('keeps those that are there, and adds none to files', () => {
    expect(withCredentials('https://a:b@h.example/x', 'c', 'd')).toBe('https://a:b@h.example/x');
    expect(withCredentials('file:///x', 'c', 'd')).toBe('file:///x');
    expect(withCredentials('https://h.example/x', 'c', undefined)).toBe('https://c@h.example/x');
  });
});

describe('netrcLogin()', () => {
  const text =
    '# c\nmachine a.example login me password p1\nmachine b.example\n  login you\n  password p2\ndefault login any password p3\n';
  it('finds the host, else the default', () => {
    expect(netrcLogin(text, 'a.example')).toEqual({ username: 'me', password: 'p1' });
    expect(netrcLogin(text, 'b.example')).toEqual({ username: 'you', password: 'p2' });
    expect(netrcLogin(text, 'c.example')?.username).toBe('any');
    expect(netrcLogin('machine a login', 'b')).toBeUndefined();
  });
});

describe('uvVariables() and pipVariables()', () => {
  it('let the tool reach the gate alone, without credentials and proxies', () => {
    const environment = {
      UV_INDEX: 'x',
      UV_INDEX_X_PASSWORD: 'pw',
      PIP_INDEX_URL: 'x',
      UV_CACHE_DIR: '/c',
      PIP_PROXY: 'p',
      https_proxy: 'p',
      LANG: 'C',
    };
    const uv = uvVariables('http://gate/simple', environment);
    expect(uv).toMatchObject({ UV_DEFAULT_INDEX: 'http://gate/simple', UV_NO_CONFIG: '1' });
    const pip = pipVariables('http://gate/simple', environment);
    expect(pip).toMatchObject({ PIP_INDEX_URL: 'http://gate/simple', PIP_CONFIG_FILE: '/dev/null' });
    const left = (variables: Readonly<Record<string, string | undefined>>): string[] =>
      Object.entries({ ...environment, ...variables })
        .flatMap(([name, value]) => (value === undefined ? [] : [name]))
        .filter((name) => Object.hasOwn(environment, name));
    expect(left(uv)).toEqual(['UV_CACHE_DIR', 'LANG']);
    expect(left(pip)).toEqual(['PIP_INDEX_URL', 'LANG']);
  });
});
