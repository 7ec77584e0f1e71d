import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  highestSyscall,
  syscallName,
  syscallNames,
  syscallNumber,
  type SyscallAbi,
} from '../../src/run/syscall-tables.ts';
import { skipWithout } from '../support/skip-without.ts';

describe('syscallNumber()', () => {
  it.each([
    ['amd64', 'read', 0],
    ['amd64', 'execve', 59],
    ['amd64', 'rseq', 334],
    ['amd64', 'clone3', 435],
    ['arm64', 'read', 63],
    ['arm64', 'clone', 220],
    ['arm64', 'wait4', 260],
    ['arm64', 'clone3', 435],
    ['i386', 'execve', 11],
    ['i386', 'socketcall', 102],
    ['x32', 'open', 2],
    ['x32', 'execve', 520],
  ] as const)('%s has %s as %i', (abi, name, number) => {
    expect(syscallNumber(abi, name)).toBe(number);
    expect(syscallName(abi, number)).toBe(name);
  });

  it('knows no calls that an architecture does not have', () => {
    expect(syscallNumber('arm64', 'open')).toBeUndefined();
    expect(syscallNumber('amd64', 'socketcall')).toBeUndefined();
    expect(syscallName('arm64', 244)).toBeUndefined();
    expect(syscallName('amd64', highestSyscall('amd64') + 1)).toBeUndefined();
    expect(syscallNumber('amd64', 'toString')).toBeUndefined();
  });
});

it('syscallNames() has each name of both architectures once, in order', () => {
  const names = syscallNames();
  expect(names).toContain('open');
  expect(names).toContain('openat');
  expect(names).not.toContain('socketcall');
  expect(new Set(names).size).toBe(names.length);
  expect(names[0]).toBe('_sysctl');
});

const INCLUDE = '/usr/include/x86_64-linux-gnu';
const GENERIC = '/usr/include/asm-generic/unistd.h';
const SKIP = skipWithout('kernel headers of amd64 (linux-libc-dev)', existsSync(`${INCLUDE}/asm/unistd_64.h`));

describe.skipIf(SKIP)('the tables agree with the kernel headers of this machine', () => {
  it.each([
    ['amd64', 'unistd_64.h'],
    ['i386', 'unistd_32.h'],
    ['x32', 'unistd_x32.h'],
  ] as const)('on every name of %s that both have', (abi, file) => {
    expect(disagreements(abi, readFileSync(`${INCLUDE}/asm/${file}`, 'utf8'))).toEqual([]);
  });

  it('on every name of arm64 that both have', () => {
    // What arm64's own asm/unistd.h defines before it includes the generic one.
    const wants = ['RENAMEAT', 'NEW_STAT', 'SET_GET_RLIMIT', 'TIME32_SYSCALLS', 'SYS_CLONE3', 'MEMFD_SECRET'];
    const options = [...wants.map((want) => `-D__ARCH_WANT_${want}`), '-E', '-dM', '-x', 'c', GENERIC];
    const macros = execFileSync('cc', options, { encoding: 'utf8' });
    const header = macros.replaceAll(/__NR3264_(\w+)/g, (_all, name) => numberOf(macros, `__NR3264_${name}`));
    expect(disagreements('arm64', header)).toEqual([]);
  });
});

function numberOf(macros: string, macro: string): string {
  return new RegExp(`^#define ${macro} (\\d+)$`, 'm').exec(macros)?.[1] ?? macro;
}

/** Names that the header and our table number differently. Throws when they have hardly any in common. */
function disagreements(abi: SyscallAbi, header: string): readonly unknown[] {
  const rows = [...header.matchAll(/^#define __NR_(\w+) (?:\(__X32_SYSCALL_BIT \+ )?(\d+)\)?$/gm)]
    .map(([, name = '', number]) => ({ name, theirs: Number(number), ours: syscallNumber(abi, name) }))
    .filter(({ ours }) => ours !== undefined);
  if (rows.length < 290) throw new Error(`only ${rows.length} names in common`);
  return rows.filter(({ theirs, ours }) => ours !== theirs);
}
