import { BPF, type BpfInstruction } from './bpf.ts';

/** A place in a program that is written from its end to its start: later places have higher numbers. */
export type Label = number;

/**
 * Writes a program backwards, so that every target of a jump is known when the jump is written. Equal instructions are
 * written once. Holds the program as it grows.
 */
export interface FilterAssembler {
  returning(value: number, note: string): Label;
  /** `load; [and;] …` in front of `next`. */
  load(offset: number, next: Label, note?: string): Label;
  and(mask: number, next: Label): Label;
  branch(branch: Branch): Label;
  /** The program that starts with what was written last, which must be `start`. */
  finish(start: Label): readonly BpfInstruction[];
}

export interface Branch {
  readonly code: typeof BPF.JUMP_EQUAL | typeof BPF.JUMP_AT_LEAST;
  readonly k: number;
  readonly yes: Label;
  readonly otherwise: Label;
  readonly note?: string | undefined;
}

/** Farthest target of a conditional jump: its distance is one byte. */
const LONGEST_JUMP = 255;

interface Program {
  /** Last instruction first. */
  readonly reversed: BpfInstruction[];
  readonly written: Map<string, Label>;
  /** Newest instruction that does the same as the one at the label, wherever one was written for its nearness. */
  readonly stepping: Map<Label, Label>;
}

export function filterAssembler(): FilterAssembler {
  const program: Program = { reversed: [], written: new Map(), stepping: new Map() };
  return {
    returning: (value, note) =>
      writeOnce(program, `return ${value}`, { code: BPF.RETURN, jt: 0, jf: 0, k: value, note }),
    load: (offset, next, note) => writeBefore(program, next, { code: BPF.LOAD, jt: 0, jf: 0, k: offset, note }),
    and: (mask, next) => writeBefore(program, next, { code: BPF.AND, jt: 0, jf: 0, k: mask }),
    branch: (branch) => writeBranch(program, branch),
    finish: (start) => {
      if (start !== program.reversed.length - 1)
        throw new Error('unreachable: a program starts with what is written last');
      return program.reversed.toReversed();
    },
  };
}

/** An instruction that goes on with `next`, which therefore has to follow it directly. */
function writeBefore(program: Program, next: Label, instruction: BpfInstruction): Label {
  const key = `${instruction.code} ${instruction.k} ${next}`;
  const known = program.written.get(key);
  if (known !== undefined) return known;
  if (next !== program.reversed.length - 1) write(program, steppingStone(program, next));
  return writeOnce(program, key, instruction);
}

function writeBranch(program: Program, { code, k, yes, otherwise, note }: Branch): Label {
  if (yes === otherwise) return yes;
  const key = `${code} ${k} ${yes} ${otherwise}`;
  const known = program.written.get(key);
  if (known !== undefined) return known;
  // The second stone may move the first target one place farther off.
  const jf = nearby(program, otherwise, LONGEST_JUMP - 1);
  const jt = nearby(program, yes, LONGEST_JUMP);
  const here = program.reversed.length;
  return writeOnce(program, key, { code, jt: here - jt - 1, jf: here - jf - 1, k, note });
}

/** The label itself, or one that does the same and is at most `farthest` instructions away. */
function nearby(program: Program, label: Label, farthest: number): Label {
  const newest = program.stepping.get(label) ?? label;
  if (program.reversed.length - newest - 1 <= farthest) return newest;
  const stone = write(program, steppingStone(program, label));
  program.stepping.set(label, stone);
  return stone;
}

/** A copy of a return, which ends the program sooner than a jump to it; otherwise a jump. */
function steppingStone(program: Program, label: Label): BpfInstruction {
  const target = program.reversed[label];
  if (target?.code === BPF.RETURN) return target;
  return { code: BPF.JUMP, jt: 0, jf: 0, k: program.reversed.length - label - 1 };
}

function writeOnce(program: Program, key: string, instruction: BpfInstruction): Label {
  const label = program.written.get(key) ?? write(program, instruction);
  program.written.set(key, label);
  return label;
}

function write(program: Program, instruction: BpfInstruction): Label {
  return program.reversed.push(instruction) - 1;
}
