/** One instruction of a classic BPF program; `jt` and `jf` count from the next one. Source: linux/filter.h. */
export interface BpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
  /** For people; no part of the program. */
  readonly note?: string | undefined;
}

/** The few operations that our filters need. Source: linux/bpf_common.h. */
export const BPF = {
  /** Load the 32-bit word at offset k. */
  LOAD: 0x20,
  AND: 0x54,
  JUMP: 0x05,
  JUMP_EQUAL: 0x15,
  JUMP_AT_LEAST: 0x35,
  RETURN: 0x06,
} as const;

/** BPF_MAXINSNS of linux/bpf_common.h. */
export const LONGEST_PROGRAM = 4096;
export const INSTRUCTION_BYTES = 8;
/** Size of `struct seccomp_data`, linux/seccomp.h. */
export const SECCOMP_DATA_BYTES = 64;

/** Offsets in `struct seccomp_data`. */
export const DATA_OFFSET = { number: 0, architecture: 4 } as const;

/** Offset of the lower or higher half of an argument; both architectures are little-endian. */
export function argumentOffset(argument: number, half: 'low' | 'high'): number {
  return 16 + 8 * argument + (half === 'high' ? 4 : 0);
}

/** What a filter returns. Source: linux/seccomp.h. */
export const RETURN = {
  killProcess: 0x8000_0000,
  errno: 0x0005_0000,
  notify: 0x7fc0_0000,
  /** Without a tracer: not done, and answered ENOSYS. Any other filter that says less wins, `notify` among them. */
  trace: 0x7ff0_0000,
  allow: 0x7fff_0000,
} as const;

/** `AUDIT_ARCH_*` of linux/audit.h: what the kernel says the call came in by. */
export const AUDIT_ARCHITECTURE = { amd64: 0xc000_003e, arm64: 0xc000_00b7, i386: 0x4000_0003 } as const;

/** The program as `struct sock_filter[]`, little-endian. */
export function encodeProgram(instructions: readonly BpfInstruction[]): Uint8Array {
  const program = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(program.buffer);
  for (const [index, { code, jt, jf, k }] of instructions.entries()) {
    const offset = index * INSTRUCTION_BYTES;
    view.setUint16(offset, code, true);
    view.setUint8(offset + 2, jt);
    view.setUint8(offset + 3, jf);
    view.setUint32(offset + 4, k, true);
  }
  return program;
}

/** One line for each instruction, with absolute jump targets. */
export function listProgram(instructions: readonly BpfInstruction[]): string {
  const lines = instructions.map((instruction, index) => {
    const note = instruction.note === undefined ? '' : `  ; ${instruction.note}`;
    return `${String(index).padStart(4)}  ${instructionText(instruction, index)}${note}\n`;
  });
  return lines.join('');
}

function instructionText({ code, jt, jf, k }: BpfInstruction, index: number): string {
  const hex = `0x${k.toString(16)}`;
  const branches = `then ${index + 1 + jt} else ${index + 1 + jf}`;
  switch (code) {
    case BPF.LOAD:
      return `load  [${k}]`;
    case BPF.AND:
      return `and   ${hex}`;
    case BPF.JUMP:
      return `goto  ${index + 1 + k}`;
    case BPF.JUMP_EQUAL:
      return `if == ${hex} ${branches}`;
    case BPF.JUMP_AT_LEAST:
      return `if >= ${hex} ${branches}`;
    case BPF.RETURN:
      return `ret   ${hex}`;
    default:
      throw new Error(`unreachable: no such instruction ${code}`);
  }
}
