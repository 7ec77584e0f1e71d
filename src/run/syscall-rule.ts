/** What the kernel does with a system call. `notify`: the supervisor is told, and answers EPERM. `kill`: the whole process. */
export type SyscallAction =
  | { readonly kind: 'allow' }
  | { readonly kind: 'errno'; readonly name: ErrnoName }
  | { readonly kind: 'notify' }
  | { readonly kind: 'kill' };

export type ErrnoName = (typeof ERRNOS)[number]['name'];

/** The same on amd64 and arm64. Source: the kernel's asm-generic/errno-base.h and errno.h. */
const ERRNOS = [
  { name: 'EPERM', number: 1 },
  { name: 'EACCES', number: 13 },
  { name: 'EINVAL', number: 22 },
  { name: 'ENOSYS', number: 38 },
  { name: 'ENOTSOCK', number: 88 },
  { name: 'EOPNOTSUPP', number: 95 },
  { name: 'EAFNOSUPPORT', number: 97 },
] as const;

export function errnoNumber(name: ErrnoName): number {
  const number = ERRNOS.find((entry) => entry.name === name)?.number;
  if (number === undefined) throw new Error(`unreachable: no ${name}`);
  return number;
}

/** Undefined for numbers that no rule answers with. */
export function errnoName(number: number): ErrnoName | undefined {
  return ERRNOS.find((entry) => entry.number === number)?.name;
}

/** Which calls a rule is for, and what happens to them. */
export interface SyscallRule {
  /** All must hold. Empty: whatever the arguments are. */
  readonly when: readonly ArgumentCondition[];
  readonly action: SyscallAction;
  /** The condition in words, for people; present where `when` is not empty. */
  readonly meaning?: string | undefined;
}

/** Holds when the argument, cut to `width` bits and masked, is one of `values`. */
export interface ArgumentCondition {
  readonly argument: ArgumentIndex;
  /** What the kernel uses of the register: 32 for `int` and `unsigned`, 64 for `long` and pointers. */
  readonly width: 32 | 64;
  readonly mask: bigint;
  /** Within the mask. */
  readonly values: readonly bigint[];
}

export type ArgumentIndex = 0 | 1 | 2 | 3 | 4 | 5;

export const ALLOW: SyscallAction = { kind: 'allow' };
export const NOTIFY: SyscallAction = { kind: 'notify' };
export const KILL: SyscallAction = { kind: 'kill' };

export function errno(name: ErrnoName): SyscallAction {
  return { kind: 'errno', name };
}

/** A condition on an argument of which the kernel uses 32 bits. */
export function word(argument: ArgumentIndex, values: readonly number[], mask = 0xffff_ffff): ArgumentCondition {
  return { argument, width: 32, mask: BigInt(mask), values: values.map(BigInt) };
}

/** A condition on an argument of which the kernel uses 64 bits. */
export function long(argument: ArgumentIndex, values: readonly bigint[]): ArgumentCondition {
  return { argument, width: 64, mask: 0xffff_ffff_ffff_ffffn, values };
}
