import { expect } from 'vitest';
import type { RunReport, TakenFile } from '../../src/run/run-report.ts';
import type { OuterFilter } from '../support/restricted-host.ts';
import type { AttackCase } from './attack-case.ts';
import type { Observed } from './machine.ts';

/** A host that refuses no system call by itself. */
const NO_FILTER: OuterFilter = { always: () => false, sometimes: () => false };

/** Throws when the attack did not end as we owe it. */
export function checkOutcome(
  { expect: wanted, ...attack }: AttackCase,
  observed: Observed,
  outer: OuterFilter = NO_FILTER,
): void {
  if ('refused' in observed) throw new Error(`${attack.id} was refused: ${observed.message}`);
  const { report } = observed;
  const statuses = Array.isArray(wanted.status) ? wanted.status : [wanted.status];
  const seen = { ...report, stdout: short(textOf(report, 'stdout')), stderr: short(textOf(report, 'stderr')) };
  const told = JSON.stringify({ ...seen, isolation: undefined, limits: undefined, image: undefined }, undefined, 1);
  expect(statuses, told).toContain(report.status);
  const kinds = [...new Set(report.events.map(({ kind }) => kind))].filter((kind) => kind !== 'syscall_denied');
  expect(kinds.filter((kind) => !(wanted.mayHave ?? []).some((one) => one === kind)).toSorted(), told).toEqual(
    (wanted.events ?? []).toSorted(),
  );
  expectDenied(report, { names: wanted.denied ?? [], others: wanted.mayDeny ?? [], outer, told });
  if (wanted.exitCode !== undefined) expect(report.exit_code, told).toBe(wanted.exitCode);
  if (wanted.signal !== undefined) expect(report.signal, told).toBe(wanted.signal);
  const reasons = new Set(report.events.flatMap((event) => ('reason' in event ? [event.reason] : [])));
  expect([...reasons].toSorted(), told).toEqual((wanted.refused ?? []).toSorted());
  checkOutput(wanted, report);
  checkFiles(wanted, report.files ?? []);
  expect(observed.odd).toEqual([]);
}

interface ExpectedNames {
  readonly names: readonly string[];
  /** That may be there too. */
  readonly others: readonly string[];
  readonly outer: OuterFilter;
  readonly told: string;
}

/** All of them, but for those that the host refuses before the cell is asked. */
function expectDenied({ denied }: RunReport, { names, others, outer, told }: ExpectedNames): void {
  const found = denied.map(({ syscall }) => syscall);
  expect(
    found.filter((name) => ![...names, ...others].includes(name)),
    told,
  ).toEqual([]);
  expect(found, told).toEqual(expect.arrayContaining(names.filter((name) => !outer.sometimes(name))));
}

function checkFiles(wanted: AttackCase['expect'], files: readonly TakenFile[]): void {
  const notTaken = files.flatMap(({ path, error }) => (error === undefined ? [] : [`${path}: ${error}`]));
  expect(notTaken.toSorted()).toEqual((wanted.notTaken ?? []).toSorted());
  const taken = files.flatMap(({ path, bytes, error }) => (error === undefined ? [`${path}: ${bytes}`] : []));
  if (wanted.taken !== undefined) expect(taken.toSorted()).toEqual(wanted.taken.toSorted());
}

function checkOutput(wanted: AttackCase['expect'], report: RunReport): void {
  const stdout = textOf(report, 'stdout');
  const context = short(`${stdout}\n${textOf(report, 'stderr')}`);
  if (wanted.prints !== undefined) {
    expect(stdout, context).toBe(wanted.prints.map((line) => `${line}\n`).join(''));
  }
  if (wanted.stdout !== undefined) expect(stdout, context).toMatch(new RegExp(wanted.stdout));
  if (wanted.stderr !== undefined) expect(textOf(report, 'stderr'), context).toMatch(new RegExp(wanted.stderr));
}

function textOf(report: RunReport, stream: 'stdout' | 'stderr'): string {
  const text = report[stream] ?? '';
  return report.encoding === 'base64' ? Buffer.from(text, 'base64').toString('latin1') : text;
}

function short(text: string): string {
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text;
}

/** Whether the attack ended as we owe it. */
export function isCaught(attack: AttackCase, observed: Observed, outer: OuterFilter = NO_FILTER): boolean {
  try {
    checkOutcome(attack, observed, outer);
    return true;
  } catch {
    return false;
  }
}
