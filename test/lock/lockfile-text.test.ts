import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteOrder } from '../../src/base/byte-order.ts';
import { canonicalJson } from '../../src/base/canonical-json.ts';
import type { Json } from '../../src/base/canonical-json.ts';
import { digestFromHex, digestOf } from '../../src/base/digest.ts';
import type { Digest } from '../../src/base/digest.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import type { Lockfile } from '../../src/lock/lockfile.ts';
import { parseLockfile } from '../../src/lock/lockfile-parser.ts';
import { formatLockfile } from '../../src/lock/lockfile-text.ts';
import { pinResolution } from '../../src/lock/pin.ts';
import { TOY_RECIPE, TOY_RESOLUTION, toyDigest, withDiffId } from './toy-recipe.ts';

const LOCK = withDiffId(pinResolution({ recipe: TOY_RECIPE, resolution: TOY_RESOLUTION }), toyDigest('f'));
const TEXT = formatLockfile(LOCK);

function problemOf(text: string): string {
  try {
    parseLockfile(text, 'recipe.lock.json');
    return 'accepted';
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    const place = error.place === undefined ? '' : `${error.place.line}:${error.place.column} `;
    return `${place}${error.code} ${error.message}`;
  }
}

describe('formatLockfile()', () => {
  it('writes sorted keys and an artifact a line', () => {
    expect(TEXT).toBe(`{
  "epoch": {
    "from": "debian trixie InRelease",
    "seconds": 1760000000
  },
  "format": 1,
  "recipe": {
    "digest": "${LOCK.recipe.digest}",
    "inputs": {
      "architectures": [
        "amd64"
      ],
      "base": {
        "debian": {
          "components": [
            "main"
          ],
          "packages": [
            "ca-certificates",
            "python3"
          ],
          "suite": "trixie"
        }
      },
      "files": {
        "/etc/motd": {
          "digest": "${digestOf('hello\n')}",
          "mode": "0644"
        }
      },
      "name": "toy",
      "python": {
        "requirements": [
          "numpy<2",
          "pandas"
        ]
      },
      "sandbox": {
        "limits": {
          "cpu": 5000,
          "memory": 268435456,
          "open_files": 256,
          "output": 1048576,
          "processes": 32,
          "tmp": 67108864,
          "wall": 10000
        },
        "minimum_tier": "C",
        "network": "none",
        "syscalls": {
          "allow": [],
          "deny": [],
          "profile": "python"
        }
      }
    },
    "name": "toy"
  },
  "resolvers": [
    { "name": "apt", "version": "2.6.1" },
    { "name": "uv", "version": "0.12.5" }
  ],
  "targets": {
    "linux/amd64": {
      "debs": [
        { "architecture": "amd64", "depends": [], "digest": "${toyDigest('1')}", "name": "libc6", "path": "pool/main/g/glibc/libc6_2.41-12_amd64.deb", "size": 2840000, "suite": "trixie", "version": "2.41-12" },
        { "architecture": "all", "depends": ["libc6"], "digest": "${toyDigest('2')}", "name": "python3", "path": "pool/main/p/python3-defaults/python3_3.13.5-1_all.deb", "size": 28200, "suite": "trixie", "version": "3.13.5-1" }
      ],
      "diff_id": "${toyDigest('f')}",
      "indexes": [
        { "archive": "debian", "component": "main", "date": 1760000000, "in_release": "${toyDigest('a')}", "packages": "${toyDigest('b')}", "suite": "trixie" }
      ],
      "interpreter": {
        "glibc": "2.41",
        "path": "/usr/bin/python3.13",
        "prefix": "/usr/local",
        "site_path": "/usr/local/lib/python3.13/dist-packages",
        "version": "3.13.5"
      },
      "wheels": [
        { "digest": "${toyDigest('3')}", "file": "numpy-1.26.4-cp313-cp313-manylinux_2_17_x86_64.whl", "name": "numpy", "size": 18000000, "uploaded": 1700000000, "version": "1.26.4" },
        { "digest": "${toyDigest('4')}", "file": "pandas-2.2.3-cp313-cp313-manylinux_2_17_x86_64.whl", "name": "pandas", "size": 12000000, "version": "2.2.3" }
      ]
    }
  },
  "version": 1
}
`);
  });
});

describe('parseLockfile()', () => {
  it('reads back what formatLockfile() wrote', () => {
    expect(parseLockfile(TEXT, 'x')).toStrictEqual(LOCK);
  });

  it('has members for several architectures only where they say something', () => {
    const amd64 = LOCK.targets.get('amd64');
    if (amd64 === undefined) throw new Error('no target');
    const compilers = amd64.debs.map((deb) => Object.assign({}, deb, { architecture: 'arm64' as const }));
    const full: Lockfile = {
      ...LOCK,
      targets: new Map([['amd64', { ...amd64, epoch: { seconds: 5, from: 'x' }, compilers }]]),
      differences: ['a: 1 on amd64, 2 on arm64: why'],
    };
    const text = formatLockfile(full);
    expect(parseLockfile(text, 'x')).toStrictEqual(full);
    expect(text).toContain('      "compilers": [\n        { "architecture": "arm64", ');
    expect(text).toContain('  "differences": [\n    "a: 1 on amd64, 2 on arm64: why"\n  ],');
    expect(text).toContain('      "epoch": {\n        "from": "x",\n        "seconds": 5\n      },');
    expect(formatLockfile({ ...LOCK, differences: [] })).toBe(TEXT);
    const own = text.replaceAll('"architecture": "arm64"', '"architecture": "amd64"');
    expect(problemOf(own)).toContain('`targets["linux/amd64"].compilers[0].architecture`');
  });

  it('reads back any lockfile', () => {
    fc.assert(
      fc.property(lockfiles(), (lock) => {
        expect(parseLockfile(formatLockfile(lock), 'x')).toEqual(lock);
      }),
    );
  });

  it.each([
    [
      'a syntax error',
      TEXT.replace('"format": 1,', '"format": 1'),
      '7:3 E_LOCK_INVALID `recipe.lock.json` cannot be read: not valid JSON: expected `,` or `}`',
    ],
    [
      'a truncated file',
      TEXT.slice(0, 20),
      '3:5 E_LOCK_INVALID `recipe.lock.json` cannot be read: not valid JSON: a string has no closing quote',
    ],
    [
      'an empty file',
      '',
      '1:1 E_LOCK_INVALID `recipe.lock.json` cannot be read: not valid JSON: the text ends too early',
    ],
    [
      'an unfinished merge',
      TEXT.replace('  "format"', '<<<<<<< HEAD\n  "format"'),
      '6:1 E_LOCK_INVALID `recipe.lock.json` has the marks of an unfinished merge',
    ],
    [
      'a newer shape',
      TEXT.replace('"version": 1\n', '"version": 2,\n "more": 1'),
      'E_LOCK_NEWER `recipe.lock.json` has `version` 2, this program knows 1',
    ],
    [
      'a newer format',
      TEXT.replace('"format": 1', '"format": 9'),
      'E_LOCK_NEWER `recipe.lock.json` has `format` 9, this program knows 1',
    ],
    [
      'a list',
      '[]',
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: the lockfile: invalid input: expected object, received array',
    ],
    [
      'an unknown key',
      TEXT.replace('"depends"', '"url": "https://x", "depends"'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[0]`: unrecognized key: "url"',
    ],
    [
      'a key that is there twice',
      TEXT.replace('"format": 1', '"format": 1, "format": 1'),
      '6:16 E_LOCK_INVALID `recipe.lock.json` cannot be read: not valid JSON: a key is there twice',
    ],
    [
      'a short digest',
      TEXT.replace(toyDigest('3'), 'sha256:3'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].wheels[0].digest`: must be `sha256:` and 64 lower-case hex digits',
    ],
    [
      'a negative size',
      TEXT.replace('2840000', '-1'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[0].size`: must not be negative',
    ],
    [
      'a broken size',
      TEXT.replace('2840000', '0.5'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[0].size`: must be a whole number',
    ],
    [
      'a path that leads out',
      TEXT.replace('pool/main/g/', '../g/'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[0].path`: must be a relative path without `..` that ends in `.deb`',
    ],
    [
      'an address for a path',
      TEXT.replace('pool/main/g/', 'https://x/'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[0].path`: must be a relative path without `..` that ends in `.deb`',
    ],
    [
      'a wheel in a folder',
      TEXT.replace('"numpy-1', '"../numpy-1'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].wheels[0].file`: must be the file name of a wheel',
    ],
    [
      'a package that is there twice',
      TEXT.replace('"name": "libc6"', '"name": "python3"'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[1].name`: is there twice',
    ],
    [
      'another architecture',
      TEXT.replace('"architecture": "amd64"', '"architecture": "arm64"'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].debs[0].architecture`: invalid option: expected one of "amd64"|"all"',
    ],
    [
      'an alias of an architecture',
      TEXT.replace('"linux/amd64"', '"linux/x86_64"'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets`: unrecognized key: "linux/x86_64"',
    ],
    [
      'inputs that were edited',
      TEXT.replace('"numpy<2"', '"numpy<3"'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `recipe.digest`: must be the digest of `inputs`',
    ],
    [
      'an interpreter outside',
      TEXT.replace('/usr/bin/python3.13', '/usr/../../python3'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets["linux/amd64"].interpreter.path`: must be an absolute path without `..`',
    ],
    [
      'no targets',
      TEXT.replace(/"targets": \{.*\n {2}\},/s, '"targets": {},'),
      'E_LOCK_INVALID `recipe.lock.json` cannot be read: `targets`: must not be empty',
    ],
  ])('refuses %s', (_, text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });

  it('throws only RootcellarError, whatever the text', () => {
    const damaged = fc
      .tuple(fc.nat(TEXT.length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 5 }))
      .map(([at, length, put]) => {
        return TEXT.slice(0, at) + put + TEXT.slice(at + length);
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string(), fc.json()), (text) => {
        expect(problemOf(text)).toMatch(/E_LOCK_|accepted/);
      }),
      { numRuns: 200 },
    );
  });
});

function lockfiles(): fc.Arbitrary<Lockfile> {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const digest = bytes.map((all): Digest => digestFromHex(Buffer.from(all).toString('hex')) ?? toyDigest('0'));
  const natural = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9]{1,8}$/);
  const line = fc.stringMatching(/^[ -~é→]{1,20}$/);
  const value = fc.jsonValue({ maxDepth: 2 }).map((json): Json => JSON.parse(JSON.stringify(json)));
  // A recipe cannot have a member `__proto__`: its reader refuses that.
  const inputs = fc
    .dictionary(fc.stringMatching(/^[a-zé/]{1,5}$/), value, { noNullPrototype: true })
    .filter((all) => !JSON.stringify(all).includes('__proto__'));
  const deb = fc.record({
    kind: fc.constant('deb' as const),
    name,
    version: fc.constantFrom('1.0', '1:2.0~rc1-1+b2'),
    architecture: fc.constantFrom('amd64' as const, 'all' as const),
    suite: fc.constantFrom('trixie', 'trixie-security', 'bookworm/updates'),
    path: name.map((text) => `pool/main/${text}.deb`),
    size: natural,
    digest,
    depends: fc.array(name, { maxLength: 2 }),
  });
  const wheel = fc.record({
    kind: fc.constant('wheel' as const),
    name,
    version: fc.constantFrom('1.0', '1!2.0+cu118'),
    file: name.map((text) => `${text}-1.0-py3-none-any.whl`),
    size: natural,
    digest,
    uploaded: fc.option(natural, { nil: undefined }),
  });
  const interpreter = fc.record({
    version: fc.constantFrom('3.13.5', '3.14.0rc1'),
    path: name.map((text) => `/usr/bin/${text}`),
    glibc: fc.constant('2.41'),
    sitePath: fc.constant('/usr/lib/x'),
    prefix: fc.constant('/usr'),
  });
  const index = fc.record({
    archive: name,
    suite: name,
    component: fc.constant('main'),
    inRelease: digest,
    packages: digest,
    date: natural,
  });
  const epoch = fc.record({ seconds: natural, from: line });
  const foreign = deb.map((one) => Object.assign({}, one, { architecture: 'arm64' as const }));
  const members = fc.record({ epoch, compilers: uniqueByName(foreign) }, { requiredKeys: [] });
  const plain = fc.record({
    interpreter: fc.option(interpreter, { nil: undefined }),
    indexes: fc.array(index, { maxLength: 2 }),
    debs: uniqueByName(deb),
    wheels: uniqueByName(wheel),
    diffId: fc.option(digest, { nil: undefined }),
  });
  const target = fc.tuple(plain, members).map(([one, more]) => Object.assign({}, one, more));
  const lockfile = fc.record({
    format: fc.constant(1),
    recipe: fc
      .tuple(name, inputs)
      .map(([recipe, all]) => ({ name: recipe, inputs: all, digest: digestOf(canonicalJson(all)) })),
    epoch,
    resolvers: fc.array(
      fc.record({ name: fc.constantFrom('apt' as const, 'uv' as const, 'pip' as const), version: line }),
      { maxLength: 2 },
    ),
    targets: target.map((one) => new Map([['amd64' as const, one]])),
  });
  const differences = fc.record({ differences: fc.array(line, { minLength: 1, maxLength: 2 }) }, { requiredKeys: [] });
  return fc.tuple(lockfile, differences).map(([lock, more]) => Object.assign({}, lock, more));
}

function uniqueByName<T extends { readonly name: string }>(artifact: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc
    .uniqueArray(artifact, { selector: ({ name }) => name, maxLength: 4 })
    .map((artifacts) => artifacts.toSorted((a, b) => byteOrder(a.name, b.name)));
}

describe('wheels that were built', () => {
  const wheel = {
    kind: 'wheel',
    name: 'w',
    version: '1.0',
    file: 'w-1.0-py3-none-any.whl',
    size: 1,
    uploaded: 5,
  } as const;
  const requirements = [
    { ...wheel, name: 'setuptools', file: 'setuptools-1.0-py3-none-any.whl', digest: toyDigest('b') },
  ];
  const kept = { name: 'w', version: '1.0', size: 9, digest: toyDigest('c') } as const;
  const commit = 'a'.repeat(40);
  const git = {
    kind: 'git',
    ...kept,
    commit,
    repository: toyDigest('d'),
    revision: 'v1',
    tag: 'v1',
    subdirectory: 'py',
  } as const;
  it.each([
    { kind: 'sdist', ...kept, file: 'w-1.0.tar.gz', uploaded: 4 } as const,
    git,
    { ...git, revision: undefined, tag: undefined, subdirectory: undefined },
  ])('are written and read back: %j', (source) => {
    const target = LOCK.targets.get('amd64');
    if (target === undefined) throw new Error('no target');
    const [deb] = target.debs;
    const built = { ...wheel, digest: toyDigest('a'), builtFrom: { source, requirements } };
    const own = { ...target, wheels: [built], buildDebs: deb === undefined ? [] : [{ ...deb, name: 'gcc' }] };
    const lock: Lockfile = { ...LOCK, targets: new Map([['amd64', own]]) };
    const text = formatLockfile(lock);
    expect(parseLockfile(text, 'x')).toEqual(lock);
    expect(problemOf(text.replace(source.digest, 'sha256:0'))).toContain('E_LOCK_INVALID');
  });
});
