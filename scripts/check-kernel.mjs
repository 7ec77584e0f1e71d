// Boots Debian's kernel in an emulator, and there runs the image of recipes/python, every attack of tier A and the limits
// of control groups of version 2. Nothing is installed; the kernel comes through this machine's own apt sources. Some seven
// minutes, or more beside other work; not part of CI. Needs `scripts/setup --kernels`, and dist/.
//   node scripts/check-kernel.mjs                         arm64
//   node scripts/check-kernel.mjs --arch amd64
//   node scripts/check-kernel.mjs own-print,two-memory    only these cases
//   node scripts/check-kernel.mjs --slowness 40           limits on time are so many times longer; for a busy machine
//   ROOTCELLAR_HOME=DIR                                   the store to build the image in; default: a new one, removed at the end
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { execa } from 'execa';

const { values, positionals } = parseArgs({
  options: { arch: { type: 'string', default: 'arm64' }, slowness: { type: 'string', default: '12' } },
  allowPositionals: true,
});
if (!['amd64', 'arm64'].includes(values.arch)) throw new Error('usage: check-kernel.mjs [--arch amd64|arm64] [CASE,…]');

const root = join(import.meta.dirname, '..');
const report = join(tmpdir(), `rootcellar-kernel-${process.pid}.json`);
const { failed } = await execa(
  'node_modules/.bin/vitest',
  [
    'run',
    '--config=test/kernel/vitest.config.ts',
    '--reporter=verbose',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    reject: false,
    env: {
      KERNEL_ARCHITECTURE: values.arch,
      KERNEL_SLOWNESS: values.slowness,
      ...(positionals[0] === undefined ? {} : { KERNEL_CASES: positionals[0] }),
    },
  },
);
const { numPassedTests, numFailedTests, success } = JSON.parse(readFileSync(report, 'utf8'));
rmSync(report);
// A machine that does not come up fails no single test: count it all the same.
const stray = (failed || !success) && numFailedTests === 0 ? 1 : 0;
console.log(`${numPassedTests} passed, ${numFailedTests + stray} failed`);
process.exitCode = failed || !success ? 1 : 0;
