import { ARCHITECTURES, type Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { NumberedSyscall } from '../recipe/syscall-vocabulary.ts';
import { AMD64_SYSCALLS } from './syscall-table-amd64.ts';
import { ARM64_SYSCALLS } from './syscall-table-arm64.ts';
import { I386_SYSCALLS } from './syscall-table-i386.ts';
import { X32_SYSCALLS } from './syscall-table-x32.ts';

/**
 * i386 and x32 only for reports: their calls are what `int 0x80`, and numbers with bit 30 set, reach on amd64; no filter lets
 * them through. Numbers of x32 are without that bit.
 */
export type SyscallAbi = Architecture | 'i386' | 'x32';

interface SyscallTable {
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
  readonly highest: number;
}

const TABLES: Readonly<Record<SyscallAbi, SyscallTable>> = {
  amd64: readTable(AMD64_SYSCALLS),
  arm64: readTable(ARM64_SYSCALLS),
  i386: readTable(I386_SYSCALLS),
  x32: readTable(X32_SYSCALLS),
};

/** The number of the call, or undefined where this architecture has no such call. */
export function syscallNumber(abi: SyscallAbi, name: string): number | undefined {
  return TABLES[abi].numbers.get(name);
}

/** The name of the call, or undefined where no call has this number. */
export function syscallName(abi: SyscallAbi, number: number): string | undefined {
  return TABLES[abi].names.get(number);
}

/** The names that a number has on our architectures, each with where it has it. */
export function namesOfNumber(number: number): readonly NumberedSyscall[] {
  const names = ARCHITECTURES.map((architecture) => syscallName(architecture, number));
  return [...new Set(names)].flatMap((name) =>
    name === undefined ? [] : [{ name, architectures: ARCHITECTURES.filter((_, at) => names[at] === name) }],
  );
}

/** The highest number that has a name; what is above was added to the kernel after the table was made. */
export function highestSyscall(abi: SyscallAbi): number {
  return TABLES[abi].highest;
}

/** Every call that amd64 or arm64 has, in byte order. */
export function syscallNames(): readonly string[] {
  const names = new Set([...TABLES.amd64.numbers.keys(), ...TABLES.arm64.numbers.keys()]);
  return [...names].toSorted(byteOrder);
}

function readTable(text: string): SyscallTable {
  const numbers = new Map<string, number>();
  for (const line of text.trim().split('\n')) {
    const [first, ...names] = line.split(' ');
    for (const [offset, name] of names.entries()) numbers.set(name, Number(first) + offset);
  }
  const names = new Map([...numbers].map(([name, number]) => [number, name]));
  return { numbers, names, highest: Math.max(...names.keys()) };
}
