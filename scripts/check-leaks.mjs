// Runs very many cells, one after the other, in one process, and counts what is there before and after: descriptors and
// memory of this process, processes of the cells' users and of the launcher, mounts, control groups, files. Needs root and
// dist/; some minutes; not part of CI.
//   node --expose-gc scripts/check-leaks.mjs          10,000 runs of /bin/true and 2,000 of python -c pass
//   node --expose-gc scripts/check-leaks.mjs --runs 500 --python 100
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** @param {string} file */
const load = async (file) => await import(new URL(`../dist/${file}`, import.meta.url).href);
const { DEFAULT_LIMITS } = await load('recipe/recipe.js');
const { cellLimits, resourceLimits } = await load('run/cell-limits.js');
const { planCgroups } = await load('run/cgroup-plan.js');
const { probeCgroups } = await load('run/cgroup-probe.js');
const { compileFilter } = await load('run/filter-compiler.js');
const { launchCell } = await load('run/launch-cell.js');
const { compilePolicy } = await load('run/policy.js');
const { judgeRun } = await load('run/verdict.js');

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, python: { type: 'string', default: '2000' } },
});
const ROOT = join(import.meta.dirname, '..');
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : 'arm64';
const FIRST_UID = 1_700_000_000;
const UIDS = 16;
/** Runs before the first count: by then everything is loaded, and the heap has its size. */
const WARM = 300;

const folder = mkdtempSync(join(tmpdir(), 'rootcellar-leaks-'));
const cellPath = join(folder, 'cell');

/** @typedef {{ readonly root: string, readonly words: readonly string[] }} Program */

/** @returns {Program} */
function trueProgram() {
  const root = join(folder, 'root');
  for (const name of ['bin', 'tmp', 'dev', 'run']) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(folder, 'true.c'), 'int main(void) { return 0; }\n');
  execFileSync('gcc', ['-static', '-O1', '-o', join(root, 'bin/true'), join(folder, 'true.c')]);
  return { root, words: ['/bin/true'] };
}

/** @returns {Program} */
function pythonProgram() {
  const [tar, root] = [join(folder, 'image.tar'), join(folder, 'image')];
  const words = [
    join(ROOT, 'dist/cli/main.js'),
    'build',
    join(ROOT, 'recipes/python'),
    '--arch',
    ARCHITECTURE,
    '-o',
    tar,
  ];
  execFileSync(process.execPath, words, {
    env: { ROOTCELLAR_HOME: join(folder, 'store'), ...process.env },
    stdio: 'pipe',
  });
  mkdirSync(root);
  execFileSync('tar', ['-xf', tar, '-C', root]);
  return { root, words: ['/usr/bin/python3', '-I', '-B', '-c', 'pass'] };
}

const filter = compileFilter(
  compilePolicy({ profile: 'python', allow: [], deny: [] }, ARCHITECTURE),
  ARCHITECTURE,
).program;
let started = 0;

/** @param {Program} program */
async function runOnce({ root, words }) {
  started += 1;
  const cgroups = planCgroups(await probeCgroups(), `${basename(folder)}-${started}`, DEFAULT_LIMITS);
  const plan = {
    tier: 'A',
    root,
    arguments: words,
    environment: { LANG: 'C.UTF-8', HOME: '/tmp' },
    workingDirectory: '/tmp',
    hostname: 'cell',
    program: undefined,
    identities: { firstUid: FIRST_UID, count: UIDS, lockFile: join(folder, 'uids') },
    limits: cellLimits(DEFAULT_LIMITS),
    resourceLimits: resourceLimits(DEFAULT_LIMITS, { tier: 'A', cgroups }),
    cgroups,
    filter,
  };
  const { facts } = await launchCell({ plan, cellPath, stdio: 'capture' }).outcome;
  const { status, events } = judgeRun({ facts, tier: 'A', limits: DEFAULT_LIMITS, syscallName: () => undefined });
  if (status !== 'ok' || events.length > 0) throw new Error(`run ${started}: ${status} ${JSON.stringify(events)}`);
}

/** @returns {Promise<Readonly<Record<string, number>>>} */
async function counts() {
  // What has a finaliser goes with the collection after the one that found it.
  for (let time = 0; time < 4; time += 1) {
    global.gc?.();
    await setTimeout(50);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    'processes of cells': processes(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length - 1,
    'own control groups': Number(
      execFileSync('sh', ['-c', `find /sys/fs/cgroup -name '${basename(folder)}*' | wc -l`]),
    ),
    'files of cells': strayFiles(),
    'files in the root': readdirSync(join(folder, 'root'), { recursive: true }).length,
    'heap KiB': Math.round((heapUsed + external) / 1024),
    'resident KiB': Math.round(rss / 1024),
  };
}

/** Where everybody may write: with a user id of ours, or a name of this check. */
function strayFiles() {
  const files = ['/tmp', '/var/tmp', '/run', '/run/rootcellar', '/dev/shm', tmpdir()].flatMap((place) =>
    (existsSync(place) ? readdirSync(place) : []).map((name) => join(place, name)),
  );
  return [...new Set(files)].filter((file) => {
    const uid = lstatSync(file, { throwIfNoEntry: false })?.uid ?? 0;
    return (uid >= FIRST_UID && uid < FIRST_UID + UIDS) || (file.includes(basename(folder)) && file !== folder);
  }).length;
}

/** Of the launcher, or with a user id of ours. */
function processes() {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const uid = Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      if (uid >= FIRST_UID && uid < FIRST_UID + UIDS) return true;
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').startsWith(cellPath);
    } catch {
      return false;
    }
  }).length;
}

/** What may be more afterwards: the rest of a heap that was not collected yet. */
const SLACK = new Map([
  ['heap KiB', 2048],
  ['resident KiB', 16_384],
]);

/**
 * @param {string} name
 * @param {Program} program
 * @param {number} runs
 */
async function measure(name, program, runs) {
  for (let run = 0; run < Math.min(WARM, runs); run += 1) await runOnce(program);
  const before = await counts();
  const began = performance.now();
  for (let run = 0; run < runs / 2; run += 1) await runOnce(program);
  const half = await counts();
  for (let run = 0; run < runs / 2; run += 1) await runOnce(program);
  const perRun = (performance.now() - began) / runs;
  const after = await counts();
  console.log(`${name}: ${runs} runs, ${perRun.toFixed(1)} ms each; before, after half of them, after all`);
  // Memory is first taken to be used again, so only what the second half adds can be a leak.
  const leaked = Object.keys(before).filter((key) => {
    const was = key.endsWith('KiB') ? half[key] : before[key];
    return (after[key] ?? 0) > (was ?? 0) + (SLACK.get(key) ?? 0);
  });
  for (const key of Object.keys(before)) {
    console.log(
      `  ${key.padEnd(20)} ${before[key]} → ${half[key]} → ${after[key]}${leaked.includes(key) ? '  LEAK' : ''}`,
    );
  }
  return leaked.length;
}

let leaks = 0;
try {
  execFileSync('make', ['-s', '-C', join(ROOT, 'native')], { stdio: 'pipe' });
  copyFileSync(join(ROOT, 'native/build/cell'), cellPath);
  leaks += await measure('/bin/true', trueProgram(), Number(values.runs));
  if (Number(values.python) > 0) leaks += await measure('python -c pass', pythonProgram(), Number(values.python));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(leaks === 0 ? 'no leak' : `${leaks} leaks`);
process.exitCode = leaks === 0 ? 0 : 1;
