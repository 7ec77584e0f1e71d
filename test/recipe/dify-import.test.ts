import { describe, expect, it } from 'vitest';
import { DIFY_VARIABLES, parseDifyConfig } from '../../src/recipe/dify-config.ts';
import { importDify, type DifyImport, type ImportBase } from '../../src/recipe/dify-import.ts';

const DEBIAN: ImportBase = { kind: 'debian', suite: 'trixie' };
const HOST: ImportBase = {
  kind: 'host',
  pythonPath: '/opt/python/bin/python3',
  isThere: (path) => path === '/usr/local/lib/python3.10',
};
const NAMES = new Map([
  [1, 'write'],
  [41, 'socket'],
  [101, 'ptrace'],
  [203, 'sched_setaffinity'],
]);

function translate(yaml: string, base: ImportBase = DEBIAN, requirements: string | undefined = 'r.txt'): DifyImport {
  return importDify(parseDifyConfig(yaml, 'config.yaml'), {
    architecture: 'amd64',
    base,
    name: 'mine',
    requirements,
    syscalls: {
      nameOf: (number) => NAMES.get(number),
      elsewhere: (number) => (number === 452 ? { architecture: 'arm64', name: 'fchmodat2' } : undefined),
      isAllowed: (name) => name === 'write',
      dangerOf: (name) => (name === 'ptrace' ? 'reads and changes other processes' : undefined),
    },
  });
}

function notesOf({ notes }: DifyImport): readonly string[] {
  return notes.map(({ setting, text }) => `${setting.key}: ${text}`);
}

describe('importDify()', () => {
  it('makes a recipe of the configuration that dify-sandbox ships, and says what is left out', () => {
    const shipped = [
      'app:\n  port: 8194\n  debug: True\n  key: dify-sandbox',
      'max_workers: 4\nmax_requests: 50\nworker_timeout: 5',
      'python_path: /opt/python/bin/python3\nnodejs_path: /usr/local/bin/node',
      'enable_network: True\nenable_preload: False\nallowed_syscalls:',
      "proxy:\n  socks5: ''\n  http: ''\n  https: ''",
    ].join('\n');
    const imported = translate(shipped);
    expect(imported.recipe).toEqual({
      name: 'mine',
      architectures: ['amd64'],
      base: { debian: { suite: 'trixie', packages: ['ca-certificates', 'python3', 'tzdata'] } },
      python: { requirements: 'r.txt' },
      sandbox: { syscalls: { profile: 'python' }, network: 'host', limits: { wall: '5s', cpu: '5s' } },
      refresh: { every: '30m' },
    });
    expect(notesOf(imported)).toEqual([
      'app.port: is for the HTTP service, not for the image',
      'app.debug: is for the HTTP service, not for the image',
      'app.key: is for the HTTP service, not for the image',
      'max_workers: is for the HTTP service, not for the image',
      'max_requests: is for the HTTP service, not for the image',
      'nodejs_path: add `nodejs` to `base.debian.packages` for programs `*.js`, and choose the profile `node` for them',
      'enable_network: runs get the network of the host, as in dify-sandbox; `network: { proxy: { allow: [pypi.org] } }` lets them reach named hosts alone',
      'python_path: became the Python of Debian: `--base host` takes the one of a machine that has it',
    ]);
  });

  it('never repeats the value of a key or a proxy', () => {
    const imported = translate('app: { key: hunter2 }\nproxy: { http: "http://u:hunter2@p:3128" }\n');
    expect(JSON.stringify([imported.recipe, notesOf(imported)])).not.toContain('hunter2');
  });

  it.each([
    [
      'http: "http://p:3128", https: "http://q:3128", no_proxy: "localhost, .corp"',
      { http: 'http://p:3128', https: 'http://q:3128', no_proxy: ['localhost', '.corp'] },
      [],
    ],
    [
      'socks5: "socks5://u:hunter2@p:1080", http: "http://p:3128"',
      { socks5: 'socks5://${SOCKS5_PROXY_USER}:${SOCKS5_PROXY_PASSWORD}@p:1080' },
      [
        'proxy.http: has no effect beside `proxy.socks5`',
        'proxy.socks5: its user and password became variables: export SOCKS5_PROXY_USER=… SOCKS5_PROXY_PASSWORD=… where runs are started',
      ],
    ],
    ['https: "hunter2 is no address"', undefined, ['proxy.https: is no address of a proxy']],
  ])('takes proxies over: %s', (proxies, host, notes) => {
    const imported = translate(`enable_network: true\nproxy: { ${proxies} }\n`);
    expect(imported.recipe['sandbox']).toMatchObject({ network: host === undefined ? 'host' : { host } });
    expect(
      notesOf(imported)
        .filter((note) => note.startsWith('proxy.'))
        .toSorted(),
    ).toEqual(notes);
    expect(JSON.stringify([imported.recipe, notesOf(imported)])).not.toContain('hunter2');
  });

  it.each([
    ['python_deps_update_interval: 1h30m', { every: '90m' }, []],
    ['python_deps_update_interval: 48h', { every: '48h' }, []],
    ['python_deps_update_interval: 100.5s', { every: '101s' }, []],
    ['python_deps_update_interval: 10s', { every: '1m' }, ['is shorter than a recipe may say; it became 1m']],
    ['python_deps_update_interval: 0', 'off', ['is no interval; the recipe is refreshed only when asked']],
    ['python_deps_update_interval: soon', 'off', ['is no interval; the recipe is refreshed only when asked']],
    ['python_deps_update_interval: "off"', 'off', []],
    ['enable_python_deps_periodic_update: false\npython_deps_update_interval: 1h', 'off', []],
    ['enable_python_deps_periodic_update: true', { every: '30m' }, []],
  ])('refreshes by dify-sandbox’s interval: %s', (yaml, refresh, notes) => {
    const imported = translate(yaml);
    expect(imported.recipe['refresh']).toEqual(refresh);
    const own = notesOf(imported).filter((note) => note.startsWith('python_deps'));
    expect(own).toEqual(notes.map((note) => `python_deps_update_interval: ${note}`));
  });

  it('says that proxies mean nothing without a network', () => {
    expect(notesOf(translate('proxy: { http: "http://p:3128", https: "" }\n'))).toEqual([
      'proxy.http: has no effect: `enable_network` is off',
    ]);
  });

  it('takes the worker time as wall-clock and processor limit; zero is five seconds', () => {
    const limits = (yaml: string): unknown => translate(yaml).recipe['sandbox'];
    expect(limits('worker_timeout: 15')).toMatchObject({ limits: { wall: '15s', cpu: '15s' } });
    expect(limits('worker_timeout: 0')).toMatchObject({ limits: { wall: '5s', cpu: '5s' } });
    expect(notesOf(translate('worker_timeout: soon'))).toEqual([
      'worker_timeout: is no whole number of seconds; 5 s are kept',
    ]);
  });

  it('turns numbers of system calls into names beyond the profile, and leaves dangerous ones out', () => {
    const imported = translate('allowed_syscalls: [1, 41, 203, 101, 452, 9999, x]');
    expect(imported.recipe['sandbox']).toMatchObject({ syscalls: { allow: ['socket', 'sched_setaffinity'] } });
    expect(notesOf(imported)).toEqual([
      'allowed_syscalls: 101, `ptrace`, was left out: it reads and changes other processes',
      'allowed_syscalls: `452` is no number of a system call on amd64; on arm64 it is `fchmodat2`',
      'allowed_syscalls: `9999` is no number of a system call on amd64',
      'allowed_syscalls: `x` is no number of a system call on amd64',
      'allowed_syscalls: became names for amd64: socket, sched_setaffinity',
    ]);
  });

  it('takes the mirror as index without its password', () => {
    const imported = translate('python_pip_mirror_url: https://u:hunter2@mirror.invalid/simple');
    expect(imported.recipe['python']).toEqual({
      requirements: 'r.txt',
      index_url: 'https://mirror.invalid/simple',
    });
    expect(notesOf(imported)).toEqual([
      'python_pip_mirror_url: its user and password were left out: put them into ~/.netrc',
      'python_pip_mirror_url: its certificate is checked, which dify-sandbox does not do',
    ]);
    expect(notesOf(translate('python_pip_mirror_url: "mirror"'))).toEqual(['python_pip_mirror_url: is no address']);
  });

  it('has a word for every setting that dify-sandbox reads from its environment, and for unknown ones', () => {
    for (const key of DIFY_VARIABLES.values()) {
      const [first = '', second] = key.split('.');
      const yaml = second === undefined ? `${first}: [x]` : `${first}: { ${second}: x }`;
      expect(notesOf(translate(yaml)).join()).not.toContain('no such setting');
    }
    expect(notesOf(translate('shiny: 1'))).toEqual([
      'shiny: dify-sandbox has no such setting that an image could follow',
    ]);
  });
});

const DEFAULT_LIST = [
  '/usr/local/lib/python3.10',
  '/usr/lib/python3.10',
  '/usr/lib/python3',
  '/usr/lib/x86_64-linux-gnu',
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/nsswitch.conf',
  '/etc/hosts',
  '/etc/resolv.conf',
  '/run/systemd/resolve/stub-resolv.conf',
  '/run/resolvconf/resolv.conf',
  '/etc/localtime',
  '/usr/share/zoneinfo',
  '/etc/timezone',
];

describe('importDify() of python_lib_path', () => {
  it('keeps the default list on a host base, but for the files of one host', () => {
    const imported = translate(`python_lib_path: ${JSON.stringify(DEFAULT_LIST)}`, HOST);
    const foreign = new Set(DEFAULT_LIST.slice(6, 10));
    expect(imported.recipe['base']).toEqual({
      host: {
        python_path: '/opt/python/bin/python3',
        python_lib_path: DEFAULT_LIST.filter((path) => !foreign.has(path)),
      },
    });
    expect(notesOf(imported)).toEqual(
      [...foreign].map((path) => `python_lib_path: \`${path}\` belongs to one host and is never part of an image`),
    );
  });

  it.each([DEBIAN, HOST])('leaves out what no image can have, and says so: $kind', (base) => {
    const imported = translate(
      `python_lib_path: [/tmp/lib, relative, /usr/local/lib/python3.10, "/a/*b*c*d*e*"]`,
      base,
    );
    expect(JSON.stringify(imported.recipe)).not.toMatch(/tmp|relative|\*/);
    expect(notesOf(imported)).toEqual([
      'python_lib_path: `/tmp/lib` cannot be in `/tmp`: a run would not see it',
      'python_lib_path: `relative` is no absolute path of a file or folder',
      'python_lib_path: `/a/*b*c*d*e*` must not have more than 4 `*` in one name',
    ]);
  });

  it('asks no package for a library of a private folder', () => {
    const imported = translate('python_lib_path: [/opt/app/libown.so.1, /lib/x86_64-linux-gnu/libssl.so.3]');
    expect(imported.recipe).toMatchObject({ shared_objects: ['libssl.so.3'] });
    expect(notesOf(imported)).toEqual([
      'python_lib_path: `/opt/app/libown.so.1` is not carried over: name the Debian package that has it, or import with `--base host`',
    ]);
  });

  it('asks the interpreter where there is no list, and adds the files of the system', () => {
    expect(translate('max_workers: 4', HOST).recipe['base']).toMatchObject({
      host: {
        python_lib_path: [
          'auto',
          '/etc/ssl/certs/ca-certificates.crt',
          '/etc/nsswitch.conf',
          '/etc/localtime',
          '/usr/share/zoneinfo',
          '/etc/timezone',
        ],
      },
    });
  });

  it('asks the interpreter too where the list names no standard library of this machine', () => {
    const imported = translate('python_lib_path: [/usr/lib/python3.9, /usr/lib/python3]', HOST);
    expect(imported.recipe['base']).toMatchObject({
      host: { python_lib_path: ['auto', '/usr/lib/python3.9', '/usr/lib/python3'] },
    });
    expect(notesOf(imported)).toEqual([
      'python_lib_path: names no standard library that is on this machine, so the interpreter is asked for its own (`auto`)',
    ]);
  });

  it('takes the list of the system instead where there is one', () => {
    const imported = translate('system_lib_requirements: [/usr/lib/x86_64-linux-gnu, /etc/hosts]', HOST);
    expect(imported.recipe['base']).toMatchObject({
      host: { python_lib_path: ['auto', '/usr/lib/x86_64-linux-gnu'] },
    });
  });

  it('names shared objects by soname on a Debian base, and says what has no counterpart', () => {
    const list = [...DEFAULT_LIST, '/usr/lib/x86_64-linux-gnu/libssl.so.3', '/srv/models', 'relative', '/a/../etc'];
    const imported = translate(`python_lib_path: ${JSON.stringify(list)}`);
    expect(imported.recipe['shared_objects']).toEqual(['libssl.so.3']);
    expect(notesOf(imported)).toContain(
      'python_lib_path: `/srv/models` is not carried over: name the Debian package that has it, or import with `--base host`',
    );
    expect(notesOf(imported)).toContain('python_lib_path: `relative` is no absolute path of a file or folder');
    expect(notesOf(imported)).toContain('python_lib_path: `/a/../etc` is no absolute path of a file or folder');
  });
});
