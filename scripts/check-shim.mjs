// Runs very many Python scripts under the shim, each in a process of its own, two at a time, and counts how they end: each
// must print what it should and exit with 0. Needs root and gcc; some minutes for each interpreter; not part of CI.
//   node scripts/check-shim.mjs                                    10,000 with python3
//   node scripts/check-shim.mjs --runs 500 /usr/bin/python3 …      other interpreters, one after the other
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import pMap from 'p-map';

const { values, positionals } = parseArgs({
  options: { runs: { type: 'string', default: '10000' } },
  allowPositionals: true,
});
const runs = Number(values.runs);
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : 'arm64';
const EXPECTED = '{"sum": 4950} 328350 2000-01-01 0.1\n';

/** The root is empty, so what the script needs is imported before, as a service's preload does. */
const SCRIPT = `
import ctypes, os, sys
import datetime, decimal, gc, json, random, threading
try: ctypes.CDLL('libgcc_s.so.1')  # threads of glibc end with its help
except OSError: pass
shim = ctypes.CDLL(sys.argv[1])
shim.DifySeccomp.argtypes = [ctypes.c_uint32, ctypes.c_uint32, ctypes.c_bool]
os.chdir(sys.argv[2])
shim.DifySeccomp(10000 + os.getpid() % 1000, 65537, len(sys.argv) > 3)
found = []
thread = threading.Thread(target=lambda: found.append(sum(n * n for n in range(100))))
thread.start(); thread.join()
gc.collect()
kept = [bytearray(1 << 16) for _ in range(64)]
try: os.listdir('/root')
except OSError: pass
random.random(); os.urandom(8)
print(json.dumps({'sum': sum(range(100))}), found[0], datetime.date(2000, 1, 1), decimal.Decimal('0.1'))
`;

const folder = mkdtempSync(join(tmpdir(), 'rootcellar-check-shim-'));

/**
 * How one script ended: empty when it did as it should.
 * @param {string} python
 * @param {number} run
 * @returns {Promise<string>}
 */
async function runOnce(python, run) {
  const words = ['-B', join(folder, 'script.py'), join(folder, ARCHITECTURE, 'python.so'), join(folder, 'root')];
  const online = run % 2 === 0 ? ['online'] : [];
  return await new Promise((resolve) => {
    execFile(
      python,
      [...words, ...online],
      { timeout: 60_000, env: { PATH: '/usr/bin:/bin' } },
      (error, stdout, stderr) => {
        if (error === null && stdout === EXPECTED && stderr === '') resolve('');
        else resolve(`${error?.signal ?? error?.code ?? 'other output'}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
      },
    );
  });
}

/** @param {string} python */
async function check(python) {
  const version = execFileSync(python, ['-c', 'import sys; print(sys.version.split()[0])'], {
    encoding: 'utf8',
  }).trim();
  /** @type {Map<string, number>} */
  const faults = new Map();
  const began = performance.now();
  await pMap(
    Array.from({ length: runs }, (_, run) => run),
    async (run) => {
      const fault = await runOnce(python, run);
      if (fault !== '') faults.set(fault, (faults.get(fault) ?? 0) + 1);
    },
    { concurrency: 2 },
  );
  const bad = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const each = ((performance.now() - began) / runs).toFixed(1);
  console.log(`${python} (${version}): ${runs - bad} of ${runs} as they should, ${bad} not, ${each} ms each`);
  for (const [fault, count] of faults) console.log(`  ${count} × ${fault}`);
  return bad;
}

let bad = 0;
try {
  const native = join(import.meta.dirname, '../native');
  execFileSync('make', ['-s', '-C', native, `BUILD=${folder}`, 'shims'], { stdio: 'pipe' });
  mkdirSync(join(folder, 'root'));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'script.py'), SCRIPT);
  for (const python of positionals.length === 0 ? ['python3'] : positionals) bad += await check(python);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = bad === 0 ? 0 : 1;
