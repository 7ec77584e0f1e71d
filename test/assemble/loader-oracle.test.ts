import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { arch, geteuid } from 'node:process';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cachedLibraries, formatLdSoCache } from '../../src/assemble/ld-so-cache.ts';
import { libraryNeeds } from '../../src/assemble/library-needs.ts';
import { treeFromDisk } from './elf-trees.ts';

const LOADER = '/lib64/ld-linux-x86-64.so.2';
const PLACEHOLDER = `/${'P'.repeat(120)}`;
const KINDS = ['none', 'rpath', 'runpath', 'nodeflib'] as const;

type Kind = (typeof KINDS)[number];

/** The graph that is loaded: `app` is the program. */
const GRAPH = {
  app: ['liba.so', 'libb.so'],
  'liba.so': ['libc1.so'],
  'libb.so': ['libc1.so', 'liba.so'],
  'libc1.so': [],
};

const FOLDERS = [
  'usr/lib',
  'usr/lib/x86_64-linux-gnu',
  'lib',
  'opt/a',
  'opt/b/lib/x86_64-linux-gnu',
  'app/libs',
  'cached',
];
const PARTS = [
  '/opt/a',
  '/opt/b/$LIB',
  '$ORIGIN/libs',
  '${ORIGIN}',
  '$ORIGIN/../opt/a',
  '/none',
  '',
  'relative',
  '/opt/a/',
];

interface Placed {
  readonly folder: string;
  readonly name: string;
  readonly kind: Kind;
  readonly search: string;
  readonly fault: 'none' | 'machine' | 'class' | 'text' | 'abi' | 'folder';
}

const search = fc.array(fc.constantFrom(...PARTS), { maxLength: 3 }).map((parts) => parts.join(':'));
const kind = fc.constantFrom<Kind>(...KINDS);
const placed: fc.Arbitrary<Placed> = fc.record({
  folder: fc.constantFrom(...FOLDERS),
  name: fc.constantFrom('liba.so', 'libb.so', 'libc1.so'),
  kind,
  search,
  fault: fc.oneof(
    { weight: 12, arbitrary: fc.constant('none' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'machine' as const,
        'class' as const,
        'text' as const,
        'abi' as const,
        'folder' as const,
      ),
    },
  ),
});
const arrangement = fc.record({
  app: fc.record({ kind, search }),
  libraries: fc.uniqueArray(placed, {
    minLength: 2,
    maxLength: 9,
    selector: ({ folder, name }) => `${folder}/${name}`,
  }),
});

const POSSIBLE = arch === 'x64' && existsSync(LOADER) && existsSync('/usr/bin/gcc') && (geteuid?.() ?? 1) === 0;
const MUST = process.env['SANDBOX_MUST_WORK'] === '1';

describe.skipIf(!POSSIBLE && !MUST)(
  'libraryNeeds() against the real loader (skipped without root, gcc or amd64)',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'loader-oracle-'));
    const bases = new Map<string, Buffer>();

    const tracer = join(folder, 'tracer');

    beforeAll(() => {
      execFileSync('gcc', ['-static', '-x', 'c', '-o', tracer, '-'], { input: TRACER });
      for (const name of ['libc1.so', 'liba.so', 'libb.so', 'app'] as const) {
        for (const variant of KINDS) bases.set(`${name} ${variant}`, linked(folder, name, variant));
      }
    });

    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('finds every library where ld.so does, or finds it missing, or gives up, as ld.so does', () => {
      let runs = 0;
      let given = 0;
      fc.assert(
        fc.property(arrangement, (wanted) => {
          const root = join(folder, `root-${runs}`);
          runs += 1;
          write(root, 'app/app', patched(bases.get(`app ${wanted.app.kind}`), wanted.app.search));
          for (const library of wanted.libraries) place(root, library, bases);
          mkdirSync(join(root, 'lib64'));
          copyFileSync(LOADER, join(root, LOADER));
          write(root, 'etc/ld.so.conf', '/cached\n');
          const { tree, contents } = treeFromDisk(root);
          const cache = cachedLibraries({ tree, contents, architecture: 'amd64' });
          write(root, 'etc/ld.so.cache', formatLdSoCache(cache, 'amd64'));
          const ours = new Set<string>();
          let gaveUp = false;
          for (const need of libraryNeeds(tree, { architecture: 'amd64', cache })) {
            if (need.root.path !== 'app/app' || !need.library.endsWith('.so')) continue;
            if (need.search?.blockedBy !== undefined) gaveUp = true;
            ours.add(`${need.library} ${need.found === undefined ? 'not found' : `/${need.found.path}`}`);
          }
          const real = listedBy(tracer, root);
          rmSync(root, { recursive: true });
          if (gaveUp) given += 1;
          expect(gaveUp ? undefined : [...ours].toSorted()).toEqual(real);
        }),
        { numRuns: 100 },
      );
      expect(given).toBeGreaterThan(0);
    });
  },
);

function linked(folder: string, name: keyof typeof GRAPH, variant: Kind): Buffer {
  const output = join(folder, name === 'app' ? 'app' : name);
  const isProgram = name === 'app';
  const tags = variant === 'runpath' ? '-Wl,--enable-new-dtags' : '-Wl,--disable-new-dtags';
  const flags = [
    '-nostdlib',
    ...(isProgram ? ['-pie', '-Wl,-e,start'] : ['-shared', `-Wl,-soname,${name}`]),
    ...(variant === 'rpath' || variant === 'runpath' ? [tags, `-Wl,-rpath,${PLACEHOLDER}`] : []),
    ...(variant === 'nodeflib' ? ['-Wl,-z,nodefaultlib'] : []),
  ];
  // Linked against what the last variant of each needed library was: only the names matter.
  const libraries = GRAPH[name].map((library) => join(folder, library));
  const words = ['-x', 'c', '-o', output, '-fPIC', ...flags, '-Wl,--no-as-needed', '-Wl,--allow-shlib-undefined', '-'];
  execFileSync('gcc', [...words, '-x', 'none', ...libraries], { input: 'void start(void) {}' });
  return readFileSync(output);
}

function patched(base: Buffer | undefined, text: string): Buffer {
  if (base === undefined) throw new Error('no such variant');
  const content = Buffer.from(base);
  for (let at = content.indexOf(PLACEHOLDER); at >= 0; at = content.indexOf(PLACEHOLDER)) {
    content.fill(0, at, at + PLACEHOLDER.length);
    content.write(text, at, 'latin1');
  }
  return content;
}

function place(root: string, library: Placed, bases: ReadonlyMap<string, Buffer>): void {
  const path = `${library.folder}/${library.name}`;
  if (library.fault === 'folder') {
    mkdirSync(join(root, path), { recursive: true });
    return;
  }
  const content = patched(bases.get(`${library.name} ${library.kind}`), library.search);
  if (library.fault === 'machine') content.writeUInt16LE(183, 18);
  if (library.fault === 'class') content.writeUInt8(1, 4);
  if (library.fault === 'abi') content.writeUInt8(9, 7);
  write(root, path, library.fault === 'text' ? Buffer.from(`GROUP ( ${'liba.so '.repeat(20)})`) : content);
}

function write(root: string, path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content, { mode: 0o755 });
}

/** Enters a root and has its loader list what it finds; a program of its own, which the variable must not reach. */
const TRACER = `
#include <unistd.h>
int main(int count, char **words) {
  char *environment[] = {"LD_TRACE_LOADED_OBJECTS=1", 0};
  if (count < 4 || chroot(words[1]) != 0 || chdir("/") != 0) return 125;
  execve(words[2], words + 2, environment);
  return 125;
}`;

/** What the loader says, a line for each library that was looked for; undefined when it gives up. */
function listedBy(tracer: string, root: string): readonly string[] | undefined {
  const { status, stdout, stderr } = spawnSync(tracer, [root, LOADER, '/app/app'], { encoding: 'utf8' });
  if (status === 127 && stderr.includes('error while loading shared libraries')) return undefined;
  if (status !== 0) throw new Error(`the loader ended with ${status}: ${stderr}`);
  const lines = stdout.matchAll(/^\t(lib\S+\.so) => (\/\S+|not found)/gm);
  const found = Array.from(
    lines,
    ([, name = '', path = '']) => `${name} ${path.startsWith('/') ? normalize(path) : path}`,
  );
  return [...new Set(found)].toSorted();
}
