import { expect } from 'vitest';
import type { RunReport, TakenFile } from '../../src/run/run-report.ts';
import type { AttackCase } from './attack-case.ts';
import type { Observed } from './attack-host.ts';

/** Throws when the attack did not end as we owe it. */
export function checkOutcome({ expect: wanted, ...attack }: AttackCase, observed: Observed): void {
  if ('refused' in observed) throw new Error(`${attack.id} was refused: ${observed.message}`);
  const { report } = observed;
  const statuses = Array.isArray(wanted.status) ? wanted.status : [wanted.status];
  const seen = { ...report, stdout: short(textOf(report, 'stdout')), stderr: short(textOf(report, 'stderr')) };
  const told = JSON.stringify({ ...seen, isolation: undefined, limits: undefined, image: undefined }, undefined, 1);
  expect(statuses, told).toContain(report.status);
  const kinds = [...new Set(report.events.map(({ kind }) => kind))].filter((kind) => kind !== 'syscall_denied');
  expect(kinds.filter((kind) => !wanted.mayHave.some((one) => one === kind)).toSorted(), told).toEqual(
    wanted.events.toSorted(),
  );
  expect(report.denied.map(({ syscall }) => syscall).toSorted(), told).toEqual(wanted.denied.toSorted());
  const reasons = new Set(report.events.flatMap((event) => ('reason' in event ? [event.reason] : [])));
  expect([...reasons].toSorted(), told).toEqual(wanted.refused.toSorted());
  if (wanted.exitCode !== undefined) expect(report.exit_code, told).toBe(wanted.exitCode);
  if (wanted.signal !== undefined) expect(report.signal, told).toBe(wanted.signal);
  checkOutput(wanted, report);
  checkFiles(wanted, report.files ?? []);
  expect(observed.odd).toEqual([]);
}

function checkFiles(wanted: AttackCase['expect'], files: readonly TakenFile[]): void {
  const notTaken = files.flatMap(({ path, error }) => (error === undefined ? [] : [`${path}: ${error}`]));
  expect(notTaken.toSorted()).toEqual(wanted.notTaken.toSorted());
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
export function isCaught(attack: AttackCase, observed: Observed): boolean {
  try {
    checkOutcome(attack, observed);
    return true;
  } catch {
    return false;
  }
}
