import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_ARCHITECTURE } from '../../src/run/bpf.ts';
import { compileFilter } from '../../src/run/filter-compiler.ts';
import { decodeFilter, simulateFilter } from '../../src/run/filter-simulator.ts';
import { SHIM_PROCESS, shimPolicy } from '../../src/run/shim-policy.ts';
import { boundaryCalls, NUMBERS } from '../run/policy-cases.ts';
import { makeShimHost, removeShimHost, SHIM_PROGRAMS, type ShimHost } from './shim-host.ts';
import { NATIVE } from './toy-cell.ts';

const OWN = process.arch === 'x64' ? 'amd64' : 'arm64';
const ALLOW = 0x7fff_0000;
const KILL = 0x8000_0000;
const PROCESS = 4321;
/** Text, and the numbers that are read from it. */
const TEXTS: readonly (readonly [string, readonly number[]])[] = [
  ['', []],
  [',,,', []],
  ['0', [0]],
  ['59', [59]],
  ['1,2,3,1,2,3', [1, 2, 3]],
  [' 57 ,\t58,59', [57, 58, 59]],
  ['1023', [1023]],
  ['1024,1025,4294967295,4294967296,18446744073709551616', []],
  ['0059,00000000000000000000041', [59, 41]],
  ['-1,+1,0x3b,59x,x59,5 9,1.0,1e1', []],
  ['59;60', []],
  ['\u0665,101\n,\u00bd', []],
  ['9'.repeat(100_000), []],
  [Array.from({ length: 5000 }, (_, number) => number).join(), Array.from({ length: 1024 }, (_, number) => number)],
];

let host: ShimHost;
beforeAll(() => {
  host = makeShimHost();
});
afterAll(() => removeShimHost(host));

describe.each([false, true])('shim_program_write(), network %s', (network) => {
  const policy = shimPolicy(OWN, network);
  const { instructions } = compileFilter(policy, OWN);
  const ours = instructions.map(({ code, jt, jf, k }) => ({ code, jt, jf, k: k === SHIM_PROCESS ? PROCESS : k }));
  const auditArchitecture = AUDIT_ARCHITECTURE[OWN];
  const calls = [
    ...NUMBERS.map((number) => ({ number, auditArchitecture, arguments: [BigInt(PROCESS)] })),
    ...boundaryCalls(policy, OWN),
  ];

  it('is our filter, with what the list has in front', () => {
    const printer = compilePrinter(host);
    for (const [text, allowed] of TEXTS) {
      const printed = execFileSync(printer, [network ? '1' : '0', `${PROCESS}`, text], { maxBuffer: 1 << 20 });
      const program = decodeFilter(printed);
      const wrong = calls.filter((call) => {
        const expected = allowed.includes(call.number) ? ALLOW : simulateFilter(ours, call);
        return simulateFilter(program, call) !== expected;
      });
      expect([text.slice(0, 40), wrong]).toEqual([text.slice(0, 40), []]);
      const other = { number: allowed[0] ?? 0, auditArchitecture: AUDIT_ARCHITECTURE.i386, arguments: [] };
      expect(simulateFilter(program, other)).toBe(KILL);
    }
  });
});

/** Then what is missing fails the tests that need it. */
const MUST = process.env['SANDBOX_MUST_WORK'] === '1';

describe.each(['amd64', 'arm64'] as const)('python.so of %s', (architecture) => {
  it('needs no library, no thread-local storage and no executable stack', (context) => {
    const shim = host.shims[architecture];
    if (!existsSync(shim)) {
      console.warn(`NOT TESTED: no compiler for ${architecture}`);
      if (!MUST) context.skip();
    }
    const text = (...words: readonly string[]): string =>
      execFileSync('readelf', ['-W', ...words, shim], { encoding: 'utf8' });
    expect(text('-h')).toContain(architecture === 'amd64' ? 'X86-64' : 'AArch64');
    expect(text('-d')).not.toMatch(/NEEDED|TEXTREL|INIT|RPATH|RUNPATH|VERNEED/);
    expect(text('-l')).toMatch(/GNU_STACK .* RW /);
    expect(text('-l')).not.toMatch(/\bTLS\b|INTERP|\bRWE\b/);
    const symbols = text('--dyn-syms')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const named = symbols.filter((words) => words.length === 8 && words[0] !== 'Num:');
    const seen = named
      .filter(([, , , type]) => type !== 'SECTION')
      .map(([, , , , bind, , at, name]) => `${bind} ${at === 'UND' ? 'UND ' : ''}${name}`);
    expect(seen.toSorted()).toEqual([
      'GLOBAL DifySeccomp',
      'WEAK UND environ',
      'WEAK UND setgroups',
      'WEAK UND setresgid',
      'WEAK UND setresuid',
    ]);
    expect(text('-r').match(/R_(?:X86_64|AARCH64)_(?!RELATIVE|GLOB_DAT|JUMP_SLOT)\w+/g)).toBeNull();
  });

  it('is the same file when it is built again', (context) => {
    if (!existsSync(host.shims[architecture]) && !MUST) context.skip();
    const again = join(host.folder, 'again');
    execFileSync('make', ['-s', '-C', NATIVE, `BUILD=${again}`, `${again}/${architecture}/python.so`]);
    expect(spawnSync('cmp', [host.shims[architecture], `${again}/${architecture}/python.so`]).status).toBe(0);
  });
});

/** Under sanitizers: a finding fails the run. */
function compilePrinter({ folder }: ShimHost): string {
  const printer = join(folder, 'print-shim-program');
  const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  const sources = [join(SHIM_PROGRAMS, 'print-shim-program.c'), join(NATIVE, 'shim-program.c')];
  execFileSync('gcc', ['-O1', '-g', ...sanitizers, '-I', NATIVE, '-o', printer, ...sources]);
  return printer;
}
