import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { Architecture } from '../../src/base/architecture.ts';
import { NATIVE } from './toy-cell.ts';

describe('make', () => {
  let build: string;
  beforeAll(() => {
    build = mkdtempSync(join(tmpdir(), 'rootcellar-make-'));
    make([]);
  }, 120_000);
  afterAll(() => rmSync(build, { recursive: true }));

  function make(words: readonly string[]): string {
    return execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${build}`, ...words], { encoding: 'utf8', stdio: 'pipe' });
  }

  /** Skips, except in CI, where no compiler for this architecture is. */
  function cellOf(architecture: Architecture, context: TestContext): string {
    const cell = join(build, architecture, 'cell');
    if (!existsSync(cell)) {
      console.warn(`NOT TESTED: no compiler for ${architecture} here`);
      if (process.env['SANDBOX_MUST_WORK'] !== '1') context.skip();
    }
    return cell;
  }

  it('makes a hardened, static `cell` without a fixed address for amd64', (context) => {
    expectHardened(cellOf('amd64', context), 'Advanced Micro Devices X86-64');
  });

  it('makes a hardened, static `cell` without a fixed address for arm64', (context) => {
    expectHardened(cellOf('arm64', context), 'AArch64');
  });

  it('takes the one of this machine for build/cell', () => {
    const own = process.arch === 'x64' ? 'amd64' : 'arm64';
    expect(readFileSync(join(build, 'cell')).equals(readFileSync(join(build, own, 'cell')))).toBe(true);
  });

  it('makes an arm64 `cell` that starts', (context) => {
    const cell = cellOf('arm64', context);
    // An emulator of system calls knows only some: which ones, `cell probe` has to find out and to say.
    const run = (word: string): string => execFileSync('qemu-aarch64', [cell, word], { encoding: 'utf8' });
    expect(run('version')).toBe('1\n');
    expect(run('probe')).toMatch(/^(?:[a-z0-9-]+ (?:yes|no \d+)\n)+landlock \d+\n$/);
    expect(spawnSync('qemu-aarch64', [cell, 'other'], { encoding: 'utf8' })).toMatchObject({ status: 64, stdout: '' });
  });

  it('goes on without a compiler for another architecture, and says so in one line', () => {
    const other = process.arch === 'x64' ? 'arm64' : 'amd64';
    const half = join(build, 'half');
    const told = make([`BUILD=${half}`, `CC_${other}=/nowhere/gcc`]);
    expect(told).toBe(`make: no cell for ${other}: /nowhere/gcc cannot make a static program here\n`);
    expect(existsSync(join(half, 'cell'))).toBe(true);
    expect(existsSync(join(half, other))).toBe(false);
  });
});

function expectHardened(cell: string, machine: string): void {
  const header = readelf(cell, '--file-header');
  expect(header).toMatch(/Type:\s+DYN \(Position-Independent Executable file\)/);
  expect(header).toContain(machine);
  const dynamic = readelf(cell, '--dynamic');
  expect(dynamic).toContain('BIND_NOW');
  expect(dynamic).toMatch(/\(FLAGS_1\)\s+Flags: NOW PIE/);
  expect(dynamic).not.toMatch(/NEEDED|TEXTREL/);
  const segments = segmentsOf(readelf(cell, '--program-headers'));
  expect(segments.get('GNU_STACK')).toEqual(['RW']);
  expect(segments.get('GNU_RELRO')).toEqual(['R']);
  expect(segments.has('INTERP')).toBe(false);
  for (const flags of segments.get('LOAD') ?? []) expect(['R', 'R E', 'RW']).toContain(flags);
  const symbols = `${readelf(cell, '--symbols')}${readelf(cell, '--dyn-syms')}`.split('\n');
  expect(symbols.length).toBeGreaterThan(100);
  expect(symbols.filter((line) => / UND +\S/.test(line))).toEqual([]);
  expect(symbols.some((line) => line.includes(' __stack_chk_fail'))).toBe(true);
}

function readelf(cell: string, ...words: readonly string[]): string {
  return execFileSync('readelf', ['-W', ...words, cell], { encoding: 'utf8' });
}

/** The flags of each segment, by its type. Source: readelf(1), --program-headers. */
function segmentsOf(text: string): ReadonlyMap<string, readonly string[]> {
  const segments = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, type, flags] = /^ +([A-Z_]+) +(?:0x[0-9a-f]+ +){5}([RWE ]*?) +0x[0-9a-f]+$/.exec(line) ?? [];
    if (type === undefined || flags === undefined) continue;
    segments.set(type, [...(segments.get(type) ?? []), flags.trim()]);
  }
  return segments;
}
