import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { DEFAULT_LIMITS } from '../../src/recipe/recipe.ts';
import { parseRecipe } from '../../src/recipe/recipe-reader.ts';
import { namesOfNumber } from '../../src/run/syscall-tables.ts';

const VOCABULARY = {
  profiles: ['python', 'python-subprocess'],
  groups: ['@network', '@threads'],
  syscalls: ['execve', 'ptrace', 'read', 'socket', 'write'],
  namesOf: namesOfNumber,
};
const READING = { file: 'r.yaml', vocabulary: VOCABULARY };
const BASE = 'base: { debian: { suite: trixie, packages: [python3] } }\n';

function problemsOf(text: string): string[] {
  try {
    parseRecipe(text, READING);
    return [];
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return error.problems.map(
      ({ place, code, message, hint }) => `${place?.line}:${place?.column} ${code} ${message} (${hint})`,
    );
  }
}

function hostBase(text: string): unknown {
  return parseRecipe(`name: x\nbase: { host: ${text} }`, READING).document.base;
}

describe('parseRecipe() of base.host', () => {
  it('takes a path and `auto`, or paths for some architectures, files, folders and patterns', () => {
    expect(hostBase('{ python_path: /usr/bin/python3 }')).toStrictEqual({
      kind: 'host',
      pythonPath: { amd64: '/usr/bin/python3', arm64: '/usr/bin/python3' },
      libraryPaths: ['auto'],
    });
    const list = '[auto, /usr/lib/python3/, { arm64: "/lib/*.so" }]';
    expect(hostBase(`{ python_path: { amd64: /a/python3 }, python_lib_path: ${list} }`)).toStrictEqual({
      kind: 'host',
      pythonPath: { amd64: '/a/python3' },
      libraryPaths: ['auto', { amd64: '/usr/lib/python3', arm64: '/usr/lib/python3' }, { arm64: '/lib/*.so' }],
    });
  });
});

describe('parseRecipe()', () => {
  it('fills in defaults', () => {
    const { document } = parseRecipe(`name: x\n${BASE}`, READING);
    expect(document).toStrictEqual({
      name: 'x',
      architectures: ['amd64'],
      base: { kind: 'debian', suite: 'trixie', mirror: undefined, components: ['main'], packages: ['python3'] },
      python: undefined,
      files: {},
      sandbox: {
        syscalls: { profile: 'python', allow: [], deny: [] },
        network: 'none',
        limits: DEFAULT_LIMITS,
        minimumTier: 'C',
      },
    });
  });

  it('reads every key', () => {
    const text = `
name: python-data
architectures: [amd64]
base:
  debian:
    suite: trixie
    mirror: http://user:secret@mirror.example/debian
    components: [non-free, main]
    packages: [python3, ca-certificates, g++]
python:
  requirements: ./python-requirements.txt
  index_url: https://index.example/simple
  extra_index_urls: [https://extra.example/simple]
  find_links: [./wheels/, /srv/wheels, "https://links.example/"]
  trusted_hosts: ["extra.example:8443"]
  constraints: limits.txt
  cooldown: { default: 7d, except: [My_Lib, certifi] }
  build_from_source: [six, My_Lib]
  build_packages: [python3-dev, gcc]
  preimport: [pandas, numpy, pandas]
files:
  /etc/nsswitch.conf: "hosts: files dns\\n"
  /opt/a: { from: conf/a, mode: "0755" }
  /opt/b: { text: b, mode: "600" }
sandbox:
  syscalls: { profile: python-subprocess, allow: [socket, "@threads"], deny: [ptrace] }
  network: none
  limits: { memory: 1.5GiB, processes: 8, cpu: 1500ms, wall: 2m, output: 64KiB, tmp: 1GB, open_files: 64 }
  minimum_tier: A
  proc: true
`;
    expect(parseRecipe(text, READING).document).toStrictEqual({
      name: 'python-data',
      architectures: ['amd64'],
      base: {
        kind: 'debian',
        suite: 'trixie',
        mirror: 'http://user:secret@mirror.example/debian',
        components: ['main', 'non-free'],
        packages: ['ca-certificates', 'g++', 'python3'],
      },
      python: {
        requirements: 'python-requirements.txt',
        indexUrl: 'https://index.example/simple',
        extraIndexUrls: ['https://extra.example/simple'],
        findLinks: ['wheels', 'file:///srv/wheels', 'https://links.example/'],
        trustedHosts: ['extra.example:8443'],
        constraints: ['limits.txt'],
        cooldown: { ms: 604_800_000, except: ['certifi', 'my-lib'] },
        buildFromSource: ['my-lib', 'six'],
        buildPackages: ['gcc', 'python3-dev'],
        preimport: ['pandas', 'numpy'],
      },
      files: {
        'etc/nsswitch.conf': { kind: 'text', text: 'hosts: files dns\n', mode: 0o644 },
        'opt/a': { kind: 'from', from: 'conf/a', mode: 0o755 },
        'opt/b': { kind: 'text', text: 'b', mode: 0o600 },
      },
      sandbox: {
        syscalls: { profile: 'python-subprocess', allow: ['@threads', 'socket'], deny: ['ptrace'] },
        network: 'none',
        limits: {
          memoryBytes: 1_610_612_736,
          processes: 8,
          cpuMs: 1500,
          wallMs: 120_000,
          outputBytes: 65_536,
          tmpBytes: 1_000_000_000,
          openFiles: 64,
        },
        minimumTier: 'A',
        proc: true,
      },
    });
  });

  it('reports all problems of a file, in its order', () => {
    const text = `nmae: x
architectures: [aarch64, x86_64]
base:
  debian: { suite: stable, packages: [Python3, python3=3, apt, apt], mirror: ftp://x:secret@y }
shared_objects: []
python:
  requirements: ../../etc/passwd
  requirments: 1
files:
  etc/x: a
  /etc/y: 5
  /etc/y/z: { from: /abs, mode: 0644 }
  /proc/z: { form: a }
  /a: {}
sandbox:
  syscalls: { profile: pyton, allow: [sokcet, 59, write], deny: [write, "@net"] }
  network: hots
  limits: { memory: 256, wall: 10, cpu: 5h30, tmp: 1B, processes: many, files: 3 }
trim: [test, /usr/../x, docs, docs, 7]
name: y
name: z
`;
    expect(problemsOf(text)).toEqual([
      '1:1 E_RECIPE_KEY unknown key `nmae` (did you mean `name`?)',
      '2:17 E_RECIPE_VALUE `architectures[0]` must be one of `amd64`, `arm64`, got `"aarch64"` (write `arm64`)',
      '2:26 E_RECIPE_VALUE `architectures[1]` must be one of `amd64`, `arm64`, got `"x86_64"` (write `amd64`)',
      '4:20 E_RECIPE_VALUE `base.debian.suite` must be a codename: `stable` is another release from time to time (write for example `trixie`)',
      '4:39 E_RECIPE_VALUE `base.debian.packages[0]` must be the name of a Debian package, without version or architecture, got `"Python3"` (write for example `python3`)',
      '4:48 E_RECIPE_VALUE `base.debian.packages[1]` must be the name of a Debian package, without version or architecture, got `"python3=3"` (write for example `python3`)',
      '4:64 E_RECIPE_VALUE `base.debian.packages` has `apt` twice (remove one of the two)',
      '4:78 E_RECIPE_VALUE `base.debian.mirror` must be an address that starts with `https://`, `http://` or `file://` (remove it to use the settings of this machine)',
      '5:17 E_RECIPE_VALUE `shared_objects` must not be empty (add an element, or remove the key)',
      '7:17 E_RECIPE_PATH `python.requirements` leaves the folder of the recipe: `"../../etc/passwd"` (copy the file beside the recipe and write for example `python-requirements.txt`)',
      '8:3 E_RECIPE_KEY unknown key `python.requirments` (did you mean `requirements`?)',
      '10:3 E_RECIPE_VALUE `files["etc/x"]` must be the absolute path of a file in the image, without `..`, `.` and doubled slashes (write for example `/etc/nsswitch.conf`)',
      '11:11 E_RECIPE_VALUE `files["/etc/y"]` must be text or a map, got `5` (write its keys below it, indented)',
      '12:3 E_RECIPE_VALUE `/etc/y/z` lies below `/etc/y`, which is a file (remove one of the two)',
      '12:21 E_RECIPE_PATH `files["/etc/y/z"].from` leaves the folder of the recipe: `"/abs"` (copy the file beside the recipe and write for example `nsswitch.conf`)',
      '12:33 E_RECIPE_VALUE `files["/etc/y/z"].mode` must be permissions as octal digits in quotes, got `644` (write `"0644"`)',
      '13:3 E_RECIPE_VALUE `files["/proc/z"]` cannot be in `/proc`: a run would not see it (choose another folder, such as `/etc` or `/opt`)',
      '14:7 E_RECIPE_VALUE `files["/a"]` must have exactly one of `from` and `text` (write for example `{ from: nsswitch.conf, mode: "0644" }`)',
      '16:24 E_RECIPE_VALUE `sandbox.syscalls.profile` names the unknown profile `pyton` (did you mean `python`?)',
      '16:39 E_RECIPE_VALUE `sandbox.syscalls.allow[0]` names the unknown system call `sokcet` (did you mean `socket`?)',
      '16:47 E_RECIPE_VALUE `sandbox.syscalls.allow[1]` must be a name, got `59` (write `execve` (amd64) or `pipe2` (arm64): numbers differ between architectures)',
      '16:66 E_RECIPE_VALUE `write` is both allowed and denied (remove one of the two)',
      '16:73 E_RECIPE_VALUE `sandbox.syscalls.deny[1]` names the unknown group `@net` (write one of `@network`, `@threads`)',
      '17:12 E_RECIPE_VALUE `sandbox.network` must be one of `none`, `proxy`, `host`, got `"hots"` (did you mean `host`?)',
      '18:21 E_RECIPE_VALUE `sandbox.limits.memory` must be a size with a unit (B, KiB, MiB, GiB, KB, MB, GB), got `256` (write `256MiB`)',
      '18:32 E_RECIPE_VALUE `sandbox.limits.wall` must be a duration with a unit (ms, s, m, h, d), got `10` (write `10s`)',
      '18:41 E_RECIPE_VALUE `sandbox.limits.cpu` must be a duration with a unit (ms, s, m, h, d), got `"5h30"` (write for example `5s`)',
      '18:52 E_RECIPE_VALUE `sandbox.limits.tmp` must be a size from 1 MiB to 64 GiB, got `"1B"` (write for example `64MiB`)',
      '18:67 E_RECIPE_VALUE `sandbox.limits.processes` must be a whole number from 1 to 32768, got `"many"` (write for example `32`)',
      '18:73 E_RECIPE_KEY unknown key `sandbox.limits.files` (write one of `memory`, `processes`, `cpu`, `wall`, `output`, `tmp`, `open_files`)',
      '19:8 E_RECIPE_VALUE `trim[0]` must be the name of a set or a glob that starts with `/`, got `"test"` (did you mean `tests`?)',
      '19:14 E_RECIPE_VALUE `trim[1]` must be without `..`, `.` and empty names, got `"/usr/../x"` (write for example `/usr/share/doc/**`)',
      '19:31 E_RECIPE_VALUE `trim` has `docs` twice (remove one of the two)',
      '19:37 E_RECIPE_VALUE `trim[4]` must be the name of a set or a glob, got `7` (write for example `docs`)',
      '21:1 E_RECIPE_SYNTAX the key `name` is there already, in line 20 (remove one of the two)',
    ]);
  });

  it.each([
    ['[]', '1:1 E_RECIPE_VALUE the recipe must be a map, got a list (write its keys below it, indented)'],
    ['hello', '1:1 E_RECIPE_VALUE the recipe must be a map, got `"hello"` (write its keys below it, indented)'],
    [BASE, '1:1 E_RECIPE_VALUE `name` is missing (add `name`)'],
    [
      'name: x\nbase: { host: {} }',
      '2:9 E_RECIPE_VALUE `base.host.python_path` is missing (add `python_path` below `base.host`)',
    ],
    [
      'name: x\nbase: {}',
      '2:7 E_RECIPE_VALUE `base` must have exactly one of `debian` and `host` (keep one of the two)',
    ],
    [
      `${BASE.replace(' }\n', ', host: { python_path: /usr/bin/python3 } }\n')}name: x`,
      '1:7 E_RECIPE_VALUE `base` must have exactly one of `debian` and `host` (keep one of the two)',
    ],
    [
      'name: x\nbase: { host: { python_path: python3 } }',
      '2:30 E_RECIPE_VALUE `base.host.python_path` must be an absolute path on this machine, without `..`, got `"python3"` (write for example `/usr/local/bin/python3`)',
    ],
    [
      'name: x\nbase: { host: { python_path: /tmp/venv/bin/python } }',
      '2:30 E_RECIPE_VALUE `base.host.python_path` cannot be in `/tmp`: a run would not see it (move it to another folder, and write for example `/usr/local/bin/python3`)',
    ],
    [
      'name: x\nbase: { host: { python_path: { arm64: /usr/bin/python3 } } }',
      '2:30 E_RECIPE_VALUE `base.host.python_path` has no path for amd64 (add `amd64: /usr/bin/python3`, or remove amd64 from `architectures`)',
    ],
    [
      'name: x\nbase: { host: { python_path: { amd64: ../x } } }',
      '2:39 E_RECIPE_VALUE `base.host.python_path.amd64` must be an absolute path on this machine, without `..`, got `"../x"` (write for example `/usr/local/bin/python3`)',
    ],
    [
      'name: x\nbase: { host: { python_path: /usr/bin/python3, python_lib_path: [auto, x] } }',
      '2:72 E_RECIPE_VALUE `base.host.python_lib_path[1]` must be an absolute path on this machine, without `..`, got `"x"` (write for example `/usr/local/lib/python3.12`)',
    ],
    [
      'name: x\nbase: { host: { python_path: /usr/bin/python3, python_lib_path: all } }',
      '2:65 E_RECIPE_VALUE `base.host.python_lib_path` must be `auto` or a list, got `"all"` (write for example `[auto, /usr/local/lib/python3.12]`)',
    ],
    [
      'name: x\nbase: { host: { python_path: /usr/bin/python3, python_lib_path: ["/a*b*c*d*e*f"] } }',
      '2:66 E_RECIPE_VALUE `base.host.python_lib_path[0]` must not have more than 4 `*` in one name (write several patterns)',
    ],
    [
      'name: x\nbase: { debian: { suite: trixie } }',
      '2:9 E_RECIPE_VALUE `base.debian.packages` is missing (add `packages` below `base.debian`)',
    ],
    [
      'name: x\nbase: { debian: { suite: trixie, packages: [] } }',
      '2:44 E_RECIPE_VALUE `base.debian.packages` must not be empty (add an element, or remove the key)',
    ],
    [
      'name: x\nbase: { debian: { suite: trixie, packages: python3 } }',
      '2:44 E_RECIPE_VALUE `base.debian.packages` must be a list, got `"python3"` (write `[first, second]`, or one element a line after `- `)',
    ],
    [
      `name: x\n${BASE}sandbox:\n`,
      '3:9 E_RECIPE_VALUE `sandbox` must be a map, got nothing (write its keys below it, indented)',
    ],
    [
      `name: 3.10\n${BASE}`,
      '1:7 E_RECIPE_VALUE `name` must be up to 64 lower-case letters, digits, `.`, `_` and `-`, the first a letter or digit, got `3.1` (put the value into quotes)',
    ],
    [
      `name: x\n${BASE}files: { /a/../b: x }`,
      '3:10 E_RECIPE_VALUE `files["/a/../b"]` must be the absolute path of a file in the image, without `..`, `.` and doubled slashes (write for example `/etc/nsswitch.conf`)',
    ],
    [
      `name: x\n${BASE}files: { /.rootcellar/x: x }`,
      '3:10 E_RECIPE_VALUE `files["/.rootcellar/x"]` cannot be in `/.rootcellar`: a run would not see it (choose another folder, such as `/etc` or `/opt`)',
    ],
    [
      `name: x\n${BASE}python: { requirements: sub/ }`,
      '3:25 E_RECIPE_VALUE `python.requirements` must be a file, not a folder, got `"sub/"` (name a file)',
    ],
    [
      `name: x\n${BASE}sandbox: { limits: { memory: 268435456 } }`,
      '3:30 E_RECIPE_VALUE `sandbox.limits.memory` must be a size with a unit (B, KiB, MiB, GiB, KB, MB, GB), got `268435456` (write `268435456B`)',
    ],
    [
      `name: x\n${BASE}constructor: 1`,
      '3:1 E_RECIPE_KEY unknown key `constructor` (write one of `name`, `architectures`, `base`, `shared_objects`, `allow_missing`, `python`, `files`, `trim`, `sandbox`, `refresh`)',
    ],
  ])('refuses %j with one error', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it.each([
    ['41', 'write `socket` (amd64) or `pivot_root` (arm64)'],
    ['"41"', 'write `socket` (amd64) or `pivot_root` (arm64)'],
    ['0x29', 'write `socket` (amd64) or `pivot_root` (arm64)'],
    ['434', 'write `pidfd_open` (amd64, arm64)'],
    ['330', 'write `pkey_alloc` (amd64)'],
    ...['9999', '-1', '1.5', '1e999', '"99999999999999999999"'].map((one) => [
      one,
      'write the name of the system call, such as `sched_setaffinity`',
    ]),
  ])('says which system calls the number %s could be', (number, hint) => {
    const [problem = '', ...others] = problemsOf(`name: x\n${BASE}sandbox: { syscalls: { allow: [${number}] } }\n`);
    expect(problem).toContain(` (${hint}: numbers differ between architectures)`);
    expect(others).toEqual([]);
  });

  it('repeats no password of an address', () => {
    const text = `name: x\n${BASE}python: { requirements: r.txt, index_url: "https://user:secret@host/ simple" }`;
    expect(problemsOf(text)).toHaveLength(1);
    expect(problemsOf(text).join('\n')).not.toContain('secret');
  });

  it('reports at most 100 problems', () => {
    const keys = Array.from({ length: 500 }, (_, index) => `key${index}: 1`).join('\n');
    expect(problemsOf(keys)).toHaveLength(100);
  });

  it('throws only RootcellarError, whatever the values', () => {
    const keys = [
      'name',
      'base',
      'debian',
      'suite',
      'packages',
      'python',
      'requirements',
      'files',
      '/etc/x',
      'from',
      'sandbox',
      'syscalls',
      'limits',
      'memory',
      'allow',
      '__proto__',
    ];
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.string(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value')),
        tie('map'),
      ),
      map: fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), tie('value')),
    }));
    fc.assert(
      fc.property(value, (input) => {
        expect(problemsOf(JSON.stringify(input))).not.toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
