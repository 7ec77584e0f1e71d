import { RootcellarError } from '../base/rootcellar-error.ts';
import { BPF, INSTRUCTION_BYTES, LONGEST_PROGRAM, RETURN, SECCOMP_DATA_BYTES, type BpfInstruction } from './bpf.ts';
import { errnoName, type SyscallAction } from './syscall-rule.ts';

/** A system call as a filter sees it. Source: `struct seccomp_data` of linux/seccomp.h. */
export interface SyscallData {
  /** As unsigned 32 bits. */
  readonly number: number;
  /** An `AUDIT_ARCH_*` value. */
  readonly auditArchitecture: number;
  /** Up to six unsigned 64-bit values; the rest are 0. */
  readonly arguments: readonly bigint[];
}

/**
 * Reads a program and checks it as the kernel does when it is loaded: known operations, aligned loads inside the data,
 * jumps that stay inside, a return at the end. Throws E_POLICY.
 */
export function decodeFilter(program: Uint8Array): readonly BpfInstruction[] {
  const length = program.length / INSTRUCTION_BYTES;
  if (!Number.isInteger(length) || length < 1 || length > LONGEST_PROGRAM) {
    throw invalid(`has ${program.length} bytes, not 1 to ${LONGEST_PROGRAM} instructions of ${INSTRUCTION_BYTES}`);
  }
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const instructions = Array.from({ length }, (_, index) => decodeInstruction(view, index * INSTRUCTION_BYTES));
  for (const [index, instruction] of instructions.entries()) checkInstruction(instruction, index, length);
  if (instructions.at(-1)?.code !== BPF.RETURN) throw invalid('does not end with a return');
  return instructions;
}

/** What the program returns for the call. `instructions` must come from `decodeFilter` or the compiler. */
export function simulateFilter(instructions: readonly BpfInstruction[], call: SyscallData): number {
  const data = encodeData(call);
  let accumulator = 0;
  for (let counter = 0; ; counter += 1) {
    const instruction = instructions[counter];
    if (instruction === undefined) throw new Error('unreachable: an unchecked program');
    const { code, jt, jf, k } = instruction;
    if (code === BPF.RETURN) return k;
    if (code === BPF.LOAD) accumulator = data.getUint32(k, true);
    else if (code === BPF.AND) accumulator = (accumulator & k) >>> 0;
    else if (code === BPF.JUMP) counter += k;
    else counter += holds(code, accumulator, k) ? jt : jf;
  }
}

/** The action that a filter's return value stands for, or undefined when our filters have no such action. */
export function returnedAction(value: number): SyscallAction | undefined {
  if (value === RETURN.allow) return { kind: 'allow' };
  if (value === RETURN.notify) return { kind: 'notify' };
  if (value === RETURN.killProcess) return { kind: 'kill' };
  const name = errnoName(value - RETURN.errno);
  return name === undefined ? undefined : { kind: 'errno', name };
}

function holds(code: number, accumulator: number, k: number): boolean {
  if (code === BPF.JUMP_EQUAL) return accumulator === k;
  if (code === BPF.JUMP_AT_LEAST) return accumulator >= k;
  throw new Error('unreachable: an unchecked program');
}

function encodeData(call: SyscallData): DataView {
  const data = new DataView(new ArrayBuffer(SECCOMP_DATA_BYTES));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.auditArchitecture, true);
  for (const [index, value] of call.arguments.entries()) data.setBigUint64(16 + 8 * index, value, true);
  return data;
}

function decodeInstruction(view: DataView, offset: number): BpfInstruction {
  return {
    code: view.getUint16(offset, true),
    jt: view.getUint8(offset + 2),
    jf: view.getUint8(offset + 3),
    k: view.getUint32(offset + 4, true),
  };
}

function checkInstruction({ code, jt, jf, k }: BpfInstruction, index: number, length: number): void {
  const farthest = length - index - 2;
  switch (code) {
    case BPF.RETURN:
    case BPF.AND:
      return;
    case BPF.LOAD:
      if (k % 4 !== 0 || k >= SECCOMP_DATA_BYTES) throw invalid(`instruction ${index} loads from offset ${k}`);
      return;
    case BPF.JUMP:
      if (k > farthest) throw invalid(`instruction ${index} jumps past the end`);
      return;
    case BPF.JUMP_EQUAL:
    case BPF.JUMP_AT_LEAST:
      if (Math.max(jt, jf) > farthest) throw invalid(`instruction ${index} jumps past the end`);
      return;
    default:
      throw invalid(`instruction ${index} has the unknown operation 0x${code.toString(16)}`);
  }
}

function invalid(fault: string): RootcellarError {
  return new RootcellarError('E_POLICY', `filter: ${fault}`, { hint: 'build the image again' });
}
