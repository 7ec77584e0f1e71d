// Runs every suite, shows its output as it comes, and adds up what passed, failed and was skipped.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';

const report = join(tmpdir(), `rootcellar-tests-${process.pid}.json`);
const root = join(import.meta.dirname, '..');

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * A suite that passes or fails as one.
 * @param {string} title
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<Counts>}
 */
async function runCheck(title, command, args) {
  console.log(`\n== ${title}`);
  const { failed } = await execa(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], reject: false });
  if (failed) console.log(`== ${title}: failed`);
  return failed ? { passed: 0, failed: 1, skipped: 0 } : { passed: 1, failed: 0, skipped: 0 };
}

/**
 * All tests, counted one by one; benchmarks are for a quiet machine.
 * @returns {Promise<Counts>}
 */
async function runVitest() {
  console.log('\n== tests');
  const args = [
    'run',
    '--config',
    'test/vitest.config.ts',
    '--project=unit',
    '--project=e2e',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const { failed } = await execa('node_modules/.bin/vitest', args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    reject: false,
  });
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, success } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  rmSync(report);
  // A file that cannot be loaded, or an error outside of any test, fails no single test: count it all the same.
  const stray = (failed || !success) && numFailedTests === 0 ? 1 : 0;
  return { passed: numPassedTests, failed: numFailedTests + stray, skipped: numPendingTests + numTodoTests };
}

const counts = [
  await runCheck('types', 'node_modules/.bin/tsc', ['-p', '.']),
  await runCheck('lint', 'node_modules/.bin/oxlint', ['src', 'test', 'scripts']),
  await runCheck('format', 'node_modules/.bin/oxfmt', ['--check', 'src', 'test', 'scripts']),
  await runCheck('unused code and dependencies', 'node_modules/.bin/knip', []),
  await runCheck('native code under sanitizers', 'make', ['-s', '-C', 'native', 'test']),
  await runCheck('native decoders under a fuzzer', 'make', ['-s', '-C', 'native', 'fuzz']),
  await runCheck('cells whose launcher is under sanitizers', 'env', [
    'CELL_SANITIZED=1',
    'node_modules/.bin/vitest',
    'run',
    '--config=test/vitest.config.ts',
    '--project=e2e',
    'test/native/cell.test.ts',
    'test/native/ending.test.ts',
    'test/native/files.test.ts',
    'test/native/tiers.test.ts',
  ]),
  await runVitest(),
];
/** @param {keyof Counts} key */
const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
process.exitCode = sum('failed') === 0 ? 0 : 1;
