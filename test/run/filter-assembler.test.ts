import { describe, expect, it } from 'vitest';
import { BPF, encodeProgram } from '../../src/run/bpf.ts';
import { filterAssembler, type FilterAssembler, type Label } from '../../src/run/filter-assembler.ts';
import { decodeFilter, simulateFilter } from '../../src/run/filter-simulator.ts';

const FAR = Array.from({ length: 12 }, (_, index) => 248 + index);

/** Writes `count` instructions between a place and what comes before it. */
function fill(assembler: FilterAssembler, count: number): void {
  let label = assembler.returning(99, 'filler');
  for (let index = 1; index < count; index += 1) label = assembler.and(index, label);
}

/** What the program returns for call number 5 and for another one. */
function results(assembler: FilterAssembler, yes: Label, otherwise: Label): readonly number[] {
  const start = assembler.load(0, assembler.branch({ code: BPF.JUMP_EQUAL, k: 5, yes, otherwise }));
  const instructions = decodeFilter(encodeProgram(assembler.finish(start)));
  return [5, 6].map((number) => simulateFilter(instructions, { number, auditArchitecture: 1, arguments: [7n, 8n] }));
}

describe.each(FAR)('filterAssembler(), with %i instructions between', (distance) => {
  it('reaches two returns', () => {
    const assembler = filterAssembler();
    const [yes, otherwise] = [assembler.returning(1, 'one'), assembler.returning(2, 'two')];
    fill(assembler, distance);
    expect(results(assembler, yes, otherwise)).toEqual([1, 2]);
    const swapped = filterAssembler();
    const [two, one] = [swapped.returning(2, 'two'), swapped.returning(1, 'one')];
    fill(swapped, distance);
    expect(results(swapped, one, two)).toEqual([1, 2]);
  });

  it('reaches two longer ways, which it cannot copy', () => {
    const assembler = filterAssembler();
    const way = (k: number): Label => {
      const [yes, otherwise] = [assembler.returning(k, 'yes'), assembler.returning(k + 1, 'no')];
      return assembler.load(16 + 8 * (k / 10 - 1), assembler.branch({ code: BPF.JUMP_EQUAL, k: 7, yes, otherwise }));
    };
    const [first, second] = [way(10), way(20)];
    fill(assembler, distance);
    expect(results(assembler, first, second)).toEqual([10, 21]);
  });
});

it('filterAssembler() writes equal instructions once', () => {
  const assembler = filterAssembler();
  const [one, two] = [assembler.returning(1, 'one'), assembler.returning(2, 'two')];
  expect(assembler.returning(1, 'one')).toBe(one);
  const test = { code: BPF.JUMP_EQUAL, k: 5, yes: one, otherwise: two };
  const label = assembler.load(0, assembler.branch(test));
  expect(assembler.load(0, assembler.branch(test))).toBe(label);
  expect(assembler.branch({ ...test, otherwise: one })).toBe(one);
  expect(assembler.finish(label)).toHaveLength(4);
});
