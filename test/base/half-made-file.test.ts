import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { halfMadeFile } from '../../src/base/half-made-file.ts';

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-half-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The id of a process that has ended. */
function deadProcess(): number {
  return spawnSync('true').pid;
}

it('halfMadeFile() gives each caller a hidden name in the folder of the file', () => {
  const folder = scratch();
  const path = join(folder, `${'n'.repeat(250)}.tar`);
  const [first, second] = [halfMadeFile(path), halfMadeFile(path)];
  expect(dirname(first)).toBe(folder);
  expect(basename(first)).toMatch(/^\.rootcellar-/);
  expect(first).not.toBe(second);
  writeFileSync(first, '');
});

it('halfMadeFile() removes what dead processes have left, and nothing else', () => {
  const folder = scratch();
  const mine = halfMadeFile(join(folder, 'x'));
  const dead = mine.replace(`-${process.pid}-`, `-${deadProcess()}-`);
  const parents = mine.replace(`-${process.pid}-`, `-${process.ppid}-`);
  const elsewhere = dead.replace(/\.rootcellar-.{12}/, '.rootcellar-0123456789ab');
  const others = [mine, parents, elsewhere, join(folder, '.rootcellar-notes.tmp'), join(folder, 'x')];
  for (const path of [dead, ...others]) writeFileSync(path, '');
  halfMadeFile(join(folder, 'y'));
  expect(existsSync(dead)).toBe(false);
  expect(others.filter((path) => !existsSync(path))).toEqual([]);
});

it('halfMadeFile() leaves it to the writer to say that there is no such folder', () => {
  expect(halfMadeFile('/nowhere/at/all/x')).toMatch(/^\/nowhere\/at\/all\/\.rootcellar-/);
});
