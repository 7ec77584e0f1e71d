import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { encodeProgram, type BpfInstruction } from '../../src/run/bpf.ts';
import { decodeFilter, returnedAction, simulateFilter } from '../../src/run/filter-simulator.ts';

const CALL = { number: 57, auditArchitecture: 0xc000_003e, arguments: [0n, 0xffff_ffff_8000_0001n] };
const ret = (k: number): BpfInstruction => step(0x06, k);

/** The pair holds the distances jt and jf. */
function step(code: number, k: number, [jt, jf] = [0, 0]): BpfInstruction {
  return { code, jt: jt ?? 0, jf: jf ?? 0, k };
}

describe('decodeFilter()', () => {
  it.each([
    ['nothing', new Uint8Array(), /has 0 bytes/],
    ['half an instruction', new Uint8Array(12), /has 12 bytes/],
    ['4097 instructions', new Uint8Array(4097 * 8), /has 32776 bytes/],
    ['an unknown operation', encodeProgram([step(0x2c, 0), ret(0)]), /instruction 0 has the unknown operation 0x2c/],
    ['a load past the data', encodeProgram([step(0x20, 64), ret(0)]), /loads from offset 64/],
    ['a load across words', encodeProgram([step(0x20, 2), ret(0)]), /loads from offset 2/],
    ['a jump past the end', encodeProgram([step(0x05, 1), ret(0)]), /instruction 0 jumps past the end/],
    ['a huge jump', encodeProgram([step(0x05, 0xffff_ffff), ret(0)]), /instruction 0 jumps past the end/],
    ['a branch past the end', encodeProgram([step(0x15, 0, [0, 1]), ret(0)]), /instruction 0 jumps past the end/],
    ['no return at the end', encodeProgram([ret(0), step(0x20, 0)]), /does not end with a return/],
  ])('refuses %s', (_what, program, message) => {
    expect(() => decodeFilter(program)).toThrow(message);
  });

  it('takes any bytes without a crash, and what it takes runs to its end', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .array(
          fc.record({
            code: fc.constantFrom(0x20, 0x54, 0x05, 0x15, 0x35, 0x06),
            jt: fc.nat(4),
            jf: fc.nat(4),
            k: fc.nat(16).map((n) => n * 4),
          }),
          { maxLength: 9 },
        )
        .map((instructions) => encodeProgram([...instructions, ret(7)])),
    );
    fc.assert(
      fc.property(bytes, (program) => {
        expect(outcome(program)).toBe('fine');
      }),
    );
  });
});

describe('simulateFilter()', () => {
  it.each([
    ['number', [step(0x20, 0), step(0x15, 57, [0, 1]), ret(1), ret(2)], 1],
    ['architecture', [step(0x20, 4), step(0x15, 57, [0, 1]), ret(1), ret(2)], 2],
    ['lower half of an argument', [step(0x20, 24), step(0x15, 0x8000_0001, [0, 1]), ret(1), ret(2)], 1],
    ['higher half of an argument', [step(0x20, 28), step(0x15, 0xffff_ffff, [0, 1]), ret(1), ret(2)], 1],
    ['mask', [step(0x20, 24), step(0x54, 0x8000_0000), step(0x15, 0x8000_0000, [0, 1]), ret(1), ret(2)], 1],
    ['unsigned comparison', [step(0x20, 24), step(0x35, 0x7fff_ffff, [0, 1]), ret(1), ret(2)], 1],
    ['equal is at least', [step(0x20, 0), step(0x35, 57, [0, 1]), ret(1), ret(2)], 1],
    ['less is not', [step(0x20, 0), step(0x35, 58, [0, 1]), ret(1), ret(2)], 2],
    ['jump', [step(0x05, 1), ret(1), ret(2)], 2],
  ])('computes: %s', (_what, instructions, result) => {
    expect(simulateFilter(decodeFilter(encodeProgram(instructions)), CALL)).toBe(result);
  });
});

describe('returnedAction()', () => {
  it('names what the kernel would do', () => {
    expect(returnedAction(0x7fff_0000)).toEqual({ kind: 'allow' });
    expect(returnedAction(0x7fc0_0000)).toEqual({ kind: 'notify' });
    expect(returnedAction(0x8000_0000)).toEqual({ kind: 'kill' });
    expect(returnedAction(0x0005_0026)).toEqual({ kind: 'errno', name: 'ENOSYS' });
    expect(returnedAction(0x0003_0000)).toBeUndefined();
    expect(returnedAction(0)).toBeUndefined();
  });
});

function outcome(program: Uint8Array): unknown {
  try {
    return Number.isInteger(simulateFilter(decodeFilter(program), CALL)) ? 'fine' : 'no number';
  } catch (error) {
    return error instanceof RootcellarError ? 'fine' : error;
  }
}
