import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import glob from 'fast-glob';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseElf } from '../../src/assemble/elf-reader.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { elfFile } from './elf-files.ts';
import { skipWithoutPrograms } from '../support/skip-without.ts';

describe('parseElf()', () => {
  it.each([
    ['amd64', 64, true, 62],
    ['i386', 32, true, 3],
    ['s390x', 64, false, 22],
    ['powerpc', 32, false, 20],
  ] as const)('reads every fact of a library for %s', (...target) => {
    const [, bits, littleEndian, machine] = target;
    const content = elfFile({
      bits,
      littleEndian,
      machine,
      interpreter: '/lib/ld.so',
      soname: 'libown.so.1',
      needed: ['libc.so.6', 'libz.so.1'],
      runpath: '$ORIGIN/../lib::/opt/lib',
      rpath: '/ignored',
      versionsNeeded: { 'libc.so.6': ['GLIBC_2.34', 'GLIBC_2.4'], 'libz.so.1': ['ZLIB_1.2'] },
      versionsDefined: ['OWN_1', 'OWN_2'],
      flags1: 0x801,
    });
    expect(parseElf(content)).toEqual({
      machine,
      bits,
      ...(littleEndian ? {} : { foreign: true }),
      interpreter: '/lib/ld.so',
      soname: 'libown.so.1',
      needed: ['libc.so.6', 'libz.so.1'],
      rpath: [],
      runpath: ['$ORIGIN/../lib', '', '/opt/lib'],
      versionsNeeded: { 'libc.so.6': ['GLIBC_2.34', 'GLIBC_2.4'], 'libz.so.1': ['ZLIB_1.2'] },
      versionsDefined: ['OWN_1', 'OWN_2'],
      noDefaultLibraries: true,
      dynamic: true,
    });
  });

  it('keeps DT_RPATH where there is no DT_RUNPATH', () => {
    expect(parseElf(elfFile({ rpath: '/a:/b' }))).toMatchObject({ rpath: ['/a', '/b'], runpath: [] });
  });

  it('tells an empty DT_RUNPATH, which hides DT_RPATH, from none', () => {
    expect(parseElf(elfFile({ rpath: '/a', runpath: '' }))).toMatchObject({ rpath: [], runpath: [''] });
  });

  it('counts what DT_FILTER names as needed, and not what DT_AUXILIARY names', () => {
    const filters = { filter: 'libf.so.1', auxiliary: 'liba.so.1' };
    expect(parseElf(elfFile({ needed: ['libc.so.6'], ...filters }))?.needed).toEqual(['libc.so.6', 'libf.so.1']);
  });

  it.each([
    ['FreeBSD', 9, true],
    ['System V', 0, undefined],
    ['GNU', 3, undefined],
  ])('says whether a library with the OS ABI of %s is for another system', (_, osAbi, foreign) => {
    const content = elfFile({});
    content.writeUInt8(osAbi, 7);
    expect(parseElf(content)?.foreign).toBe(foreign);
  });

  it('leaves out versions that are needed weakly only', () => {
    const content = elfFile({
      versionsNeeded: { 'libc.so.6': ['GLIBC_2.34', 'GLIBC_2.99'] },
      weakVersions: ['GLIBC_2.99'],
    });
    expect(parseElf(content)?.versionsNeeded).toEqual({ 'libc.so.6': ['GLIBC_2.34'] });
  });

  it('says of a program without a dynamic section that it is static', () => {
    expect(parseElf(elfFile({ dynamic: false }))).toMatchObject({ dynamic: false, needed: [] });
  });

  it('keeps a library named __proto__ as a name like any other', () => {
    const facts = parseElf(elfFile({ versionsNeeded: { ['__proto__']: ['V1'] } }));
    expect(Object.entries(facts?.versionsNeeded ?? {})).toEqual([['__proto__', ['V1']]]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a script', Buffer.from('#!/usr/bin/python3\nprint()\n# and more than twenty bytes')],
    ['four bytes of magic', Buffer.from('\x7fELF', 'latin1')],
    ['an object file', elfFile({ type: 1 })],
    ['a core dump', elfFile({ type: 4 })],
  ])('does not take %s for a program or library', (_, content) => {
    expect(parseElf(content)).toBeUndefined();
  });

  it('refuses a library that is cut short', () => {
    const whole = elfFile({ needed: ['libc.so.6'], versionsNeeded: { 'libc.so.6': ['V'] } });
    for (let length = 20; length < whole.length; length += 1) {
      expect(() => parseElf(whole.subarray(0, length))).toThrow(RootcellarError);
    }
  });

  it('does not look for ever at version records that lead in a circle or overlap', () => {
    const content = elfFile({ versionsNeeded: { 'libc.so.6': ['V'] }, versionsNeededCount: 2 ** 31, versionStep: 1 });
    expect(() => parseElf(content)).toThrow(RootcellarError);
  });

  it('gives up on a file whose names overlap to more than can be meant', () => {
    const content = elfFile({ needed: Array.from({ length: 200 }, () => 'x'.repeat(60_000)) });
    expect(() => parseElf(content)).toThrow(/more libraries and versions than can be meant/);
  });

  it('is total: any bytes after the magic give facts, undefined or E_ARTIFACT_INVALID', () => {
    const header = fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2), fc.constantFrom(2, 3));
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 400 }), ([bits, order, type], rest) => {
        const start = Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        const content = Buffer.concat([start, Buffer.from(order === 1 ? [type, 0] : [0, type]), rest]);
        expect(OUTCOMES).toContain(outcome(content));
      }),
      { numRuns: 2000 },
    );
  });

  it('is total on libraries with some words overwritten', () => {
    const whole = elfFile({
      needed: ['libc.so.6', 'libm.so.6'],
      rpath: '/x',
      versionsNeeded: { 'libc.so.6': ['A', 'B'] },
      versionsDefined: ['C'],
    });
    const words = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.nat(2 ** 31), fc.constantFrom(0xffffffff, 0x7fffffff));
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 4), words), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, (edits) => {
        const damaged = Buffer.from(whole);
        for (const [at, word] of edits) damaged.writeUInt32LE(word, at);
        expect(OUTCOMES).toContain(outcome(damaged));
      }),
      { numRuns: 5000 },
    );
  });
});

/** `facts`, `undefined` or the code of the one error that is allowed. */
function outcome(content: Buffer): string {
  try {
    return parseElf(content) === undefined ? 'undefined' : 'facts';
  } catch (error) {
    return error instanceof RootcellarError ? error.code : String(error);
  }
}

const OUTCOMES = ['undefined', 'facts', 'E_ARTIFACT_INVALID'];

const LIBRARIES = glob
  .sync(['/lib/*-linux-gnu/*.so*', '/usr/lib/python3*/**/*.so', '/usr/bin/*'], {
    onlyFiles: true,
    followSymbolicLinks: false,
  })
  .filter((path) => statSync(path).size < 4_000_000)
  .toSorted()
  .filter((_, index) => index % 7 === 0)
  .slice(0, 60);

describe.skipIf(skipWithoutPrograms('readelf'))('parseElf() against readelf (skipped without binutils)', () => {
  it.each(LIBRARIES)('agrees on %s', (path) => {
    const facts = parseElf(readFileSync(path));
    const ours = facts && {
      interpreter: facts.interpreter,
      soname: facts.soname,
      needed: facts.needed,
      searchPaths: [...facts.rpath, ...facts.runpath].join(':'),
      versionsNeeded: facts.versionsNeeded,
      versionsDefined: facts.versionsDefined,
    };
    expect(ours).toEqual(isProgramOrLibrary(path) ? readelfFacts(readelf(path)) : undefined);
  });

  it('is total on real libraries with some bytes overwritten', () => {
    const path = LIBRARIES.find((candidate) => parseElf(readFileSync(candidate))?.versionsDefined.length);
    if (path === undefined) throw new Error('no library with versions among the samples');
    const whole = readFileSync(path);
    // Headers, dynamic section, string and version tables lie in the first and last parts of a file.
    const place = fc.oneof(fc.nat(4096), fc.nat(whole.length - 1));
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 8 }), (edits) => {
        const damaged = Buffer.from(whole);
        for (const [at, byte] of edits) damaged[at % whole.length] = byte;
        expect(OUTCOMES).toContain(outcome(damaged));
      }),
      { numRuns: 500 },
    );
  });
});

function readelf(path: string): string {
  return execFileSync('readelf', ['-W', '-d', '-V', '-l', path], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function isProgramOrLibrary(path: string): boolean {
  if (readFileSync(path).toString('latin1', 0, 4) !== '\x7fELF') return false;
  const type = execFileSync('readelf', ['-h', path], { encoding: 'utf8' });
  return /Type:\s+(?:DYN|EXEC)/.test(type);
}

function readelfFacts(text: string): object {
  const all = (pattern: RegExp): string[] => Array.from(text.matchAll(pattern), (match) => match[1] ?? '');
  const [definitions = '', needs = ''] = [
    /Version definition section[\s\S]*?(?:\n\n|\s*$)/.exec(text)?.[0],
    /Version needs section[\s\S]*?(?:\n\n|\s*$)/.exec(text)?.[0],
  ];
  const versions: Record<string, string[]> = {};
  let library = '';
  for (const line of needs.split('\n')) {
    library = /File: (\S+)/.exec(line)?.[1] ?? library;
    if (/File: /.test(line)) versions[library] ??= [];
    const [, name, flags] = /Name: (\S+) +Flags: (\S+)/.exec(line) ?? [];
    if (name !== undefined && flags === 'none') versions[library]?.push(name);
  }
  return {
    interpreter: all(/program interpreter: (.*)\]/g)[0],
    soname: all(/\(SONAME\).*\[(.*)\]/g)[0],
    needed: all(/\(NEEDED\).*\[(.*)\]/g),
    searchPaths: all(/\(R(?:UN)?PATH\).*\[(.*)\]/g).join(':'),
    versionsNeeded: versions,
    versionsDefined: definitions
      .split('\n')
      .filter((line) => /Rev: /.test(line) && !/Flags: BASE/.test(line))
      .map((line) => /Name: (\S+)/.exec(line)?.[1]),
  };
}
