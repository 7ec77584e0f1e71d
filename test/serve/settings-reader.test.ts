import { describe, expect, it } from 'vitest';
import { difyEnvironment, mergeDifyConfigs, parseDifyConfig } from '../../src/recipe/dify-config.ts';
import { parseGoDuration } from '../../src/base/go-duration.ts';
import { readSettings, type ReadSettings, type SettingFlags } from '../../src/serve/settings-reader.ts';

interface Given {
  readonly flags?: SettingFlags;
  readonly environment?: Readonly<Record<string, string>>;
  readonly yaml?: string;
}

function read({ flags = {}, environment = {}, yaml }: Given): ReadSettings {
  const dify =
    yaml === undefined
      ? undefined
      : mergeDifyConfigs(parseDifyConfig(yaml, 'config.yaml'), difyEnvironment(environment));
  return readSettings({ flags, environment, keys: [], dify });
}

/** As dify-sandbox ships it, without comments. */
const SHIPPED = `app: { port: 8194, debug: True, key: dify-sandbox }
max_workers: 4
max_requests: 50
worker_timeout: 5
python_path: /opt/python/bin/python3
enable_network: True
enable_preload: False
allowed_syscalls:
proxy: { socks5: '', http: '', https: '' }
`;

describe('readSettings()', () => {
  it('reads dify-sandbox’s own configuration', () => {
    const { settings, notes } = read({ yaml: SHIPPED });
    expect(settings).toMatchObject({
      address: { host: '127.0.0.1', port: 8194 },
      keys: [{ name: 'default', key: 'dify-sandbox' }],
      workers: 4,
      requests: 50,
      network: { mode: 'host', proxies: {} },
      limits: { wallMs: 5000, cpuMs: 5000 },
      enablePreload: false,
      updateMs: 30 * 60_000,
    });
    expect(notes).toEqual([]);
  });

  it('lets a flag win over our variable, that over dify-sandbox’s, and that over its file', () => {
    const flags = { workers: '1', listen: ':1' };
    const ours = { ROOTCELLAR_WORKERS: '2', ROOTCELLAR_LISTEN: '127.0.0.2:2', ROOTCELLAR_API_KEY: 'ours' };
    const theirs = { MAX_WORKERS: '3', SANDBOX_PORT: '3', API_KEY: 'theirs', ENABLE_NETWORK: 'f', ENABLE_PRELOAD: '1' };
    const of = (given: Given): unknown => {
      const { workers, address, keys } = read({ ...given, yaml: SHIPPED }).settings;
      return [workers, address.host, address.port, keys[0]?.key];
    };
    expect(of({ flags, environment: { ...ours, ...theirs } })).toEqual([1, '0.0.0.0', 1, 'ours']);
    expect(of({ environment: { ...ours, ...theirs } })).toEqual([2, '127.0.0.2', 2, 'ours']);
    expect(of({ environment: theirs })).toEqual([3, '127.0.0.1', 3, 'theirs']);
    expect(of({})).toEqual([4, '127.0.0.1', 8194, 'dify-sandbox']);
    const { settings } = read({ environment: theirs, yaml: SHIPPED });
    expect([settings.network, settings.enablePreload]).toEqual(['none', true]);
  });

  it('does the sane thing where dify-sandbox would hang, refuse everything or end, and says so', () => {
    const { settings, notes } = read({
      yaml: 'max_workers: 0\nmax_requests: many\npython_deps_update_interval: -1s\n',
    });
    expect(settings).toMatchObject({ workers: 4, requests: 50, address: { port: 8194 }, keys: [] });
    expect(settings.updateMs).toBeUndefined();
    expect(read({ yaml: 'enable_python_deps_periodic_update: false\n' }).settings.updateMs).toBeUndefined();
    expect(read({ yaml: 'enable_python_deps_periodic_update: true\n' }).settings.updateMs).toBe(1_800_000);
    expect(notes).toEqual([
      '`max_workers`: is 0 or not there, with which dify-sandbox lets every run wait for ever; 4 is taken',
      '`max_requests`: is no number of runs: `many`, with which dify-sandbox refuses every run; 50 is taken',
      '`app.port`: is not there; 8194 is taken',
      '`python_deps_update_interval`: `-1s` is no interval; the image is refreshed only when asked, and after edits',
    ]);
  });

  it('has runs reach what the proxies say, without their passwords', () => {
    const yaml = 'enable_network: yes\nproxy: { http: "http://user:secret@proxy.example:3128" }\n';
    const environment = { ENABLE_NETWORK: 'true', WORKER_TIMEOUT: '12' };
    const { settings } = read({ yaml, environment });
    const http = 'http://${HTTP_PROXY_USER}:${HTTP_PROXY_PASSWORD}@proxy.example:3128';
    expect(settings.network).toEqual({ mode: 'host', proxies: { http } });
    expect(settings.limits).toEqual({ wallMs: 12_000, cpuMs: 12_000 });
  });

  it('asks dify-sandbox’s variables only with its configuration', () => {
    const environment = { API_KEY: 'theirs', MAX_WORKERS: '9', ENABLE_PRELOAD: '1' };
    const { settings } = read({ environment });
    expect(settings).toMatchObject({ keys: [], workers: 4, enablePreload: false, network: undefined });
  });

  it('reads limits with their units', () => {
    const flags = { limit: ['wall=2s'], maxBody: '1MiB', drain: '1m' };
    const { settings } = read({ flags, environment: { ROOTCELLAR_MAX_LIMITS: 'wall=60s, memory=1GiB' } });
    expect(settings).toMatchObject({
      limits: { wallMs: 2000 },
      mostLimits: { wallMs: 60_000, memoryBytes: 1024 ** 3 },
      mostBodyBytes: 1024 ** 2,
      drainMs: 60_000,
    });
  });

  it.each([
    [{ workers: '0' }, /--workers/],
    [{ maxRequests: 'x' }, /--max-requests/],
    [{ listen: 'a:b' }, /--listen/],
    [{ limit: ['wall=3'] }, /wall/],
    [{ maxLimit: ['speed=3'] }, /speed/],
    [{ maxBody: '3' }, /--max-body/],
    [{ drain: '3' }, /--drain/],
  ])('refuses %j', (flags, message) => {
    expect(() => read({ flags })).toThrow(message);
  });
});

describe('parseGoDuration()', () => {
  it.each([
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['300ms', 300],
    ['0', 0],
    ['9999999h', 2 ** 31 - 1],
  ])('%s', (text, ms) => {
    expect(parseGoDuration(text)).toBe(ms);
  });

  it.each(['', '30', '-1s', 'm', '1 h', '1d', 'off'])('%j is none', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });
});
