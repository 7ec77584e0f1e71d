// Writes what the fuzzers of native/fuzz begin with: real plans, packets and lists. Needs dist/.
//   node scripts/write-fuzz-seeds.mjs DIR     DIR/seeds-plan, seeds-link and so on
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** @param {string} file */
const load = async (file) => await import(new URL(`../dist/${file}`, import.meta.url).href);
const { planCgroups } = await load('run/cgroup-plan.js');
const { cellLimits, resourceLimits } = await load('run/cell-limits.js');
const { compileFilter } = await load('run/filter-compiler.js');
const { encodeJob, encodePlan } = await load('run/launch-plan.js');
const { compilePolicy } = await load('run/policy.js');
const { encodePreparedPlan, HOLE, RUN_ID } = await load('run/prepared-plan.js');
const { DEFAULT_LIMITS } = await load('recipe/recipe.js');

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: write-fuzz-seeds.mjs DIR');

const VERSION_ONE = new Map([
  ['memory', '/cg/memory'],
  ['pids', '/cg/pids'],
  ['cpuacct', '/cg/cpu,cpuacct'],
]);
const VERSION_TWO = { directory: '/cg', controllers: ['memory', 'pids', 'cpu'] };

/** What a plan may have besides. */
const ALL_ELSE = {
  imageLock: '/var/lib/rootcellar/uses/a',
  network: { kind: 'proxy', port: 3128, socket: '/run/rootcellar/proxy' },
  files: [
    { folder: '.', name: 'in', mode: 0o755, content: undefined },
    { folder: 'in', name: 'a.txt', mode: 0o644, content: Buffer.from('text') },
  ],
  outputs: { paths: ['out', 'in/a.txt'], mostBytes: 1024, mostEntries: 16 },
};

/** @param {{ readonly isOne: boolean, readonly isTraced: boolean, readonly profile: string, readonly tier?: 'A' | 'D' }} how */
function plan({ isOne, isTraced, profile, tier = 'A' }) {
  const host = isOne
    ? { versionOne: VERSION_ONE, versionTwo: undefined }
    : { versionOne: new Map(), versionTwo: VERSION_TWO };
  const cgroups = planCgroups(host, 'run', DEFAULT_LIMITS);
  if (cgroups === undefined) throw new Error('unreachable: every controller is there');
  return encodePlan({
    tier,
    place: tier === 'A' ? undefined : '/run/rootcellar/run-1',
    root: '/var/lib/rootcellar/roots/a',
    arguments: ['/usr/bin/python3', '-I', '-B', '/run/program/main.py', 'a b', ''],
    environment: { LANG: 'C.UTF-8', HOME: '/tmp' },
    workingDirectory: '/tmp',
    hostname: 'cell',
    program: { name: 'main.py', content: Buffer.from('print(6 * 7)\n') },
    identities: { firstUid: 1_900_000_000, count: 65_536, lockFile: '/run/rootcellar/uids' },
    limits: { ...cellLimits(DEFAULT_LIMITS), executableTmp: isTraced },
    resourceLimits: resourceLimits(DEFAULT_LIMITS, { tier, cgroups }),
    cgroups,
    filter: compileFilter(compilePolicy({ profile, allow: [], deny: [] }, 'amd64'), 'amd64').program,
    isTraced,
    hasProc: !isOne,
    isParked: isOne,
    ...(isTraced ? ALL_ELSE : {}),
  });
}

/** @param {'A' | 'D'} tier */
function preparedPlan(tier) {
  const text = 'time limit';
  const limits = DEFAULT_LIMITS;
  return encodePreparedPlan({
    needs: ['openat2', 'children'],
    words: {
      code: ['/usr/bin/python3', '-c', HOLE],
      stdin: ['/usr/bin/python3', '-'],
      file: ['/usr/bin/python3', `/tmp/cell-${RUN_ID}/program/${HOLE}`],
    },
    texts: { timeout: text, cpu_limit: text, oom: text, disk_limit: text, output_limit: text, denied: text },
    calls: ['read', 'write', '', 'close'],
    image: 'python',
    architecture: 'amd64',
    plan: {
      tier,
      place: tier === 'A' ? undefined : `/tmp/cell-${RUN_ID}`,
      root: '/rootfs/0',
      arguments: [],
      environment: { LANG: 'C.UTF-8', HOME: `/tmp/cell-${RUN_ID}/tmp` },
      workingDirectory: '/tmp',
      hostname: 'cell',
      program: undefined,
      identities: { firstUid: 52_000, count: 64, lockFile: '/run/cell-ids' },
      limits: cellLimits(limits),
      resourceLimits: resourceLimits(limits, { tier, cgroups: undefined }),
      cgroups: undefined,
      watch: { memoryBytes: limits.memoryBytes, processes: limits.processes },
      filter: compileFilter(compilePolicy({ profile: 'python', allow: [], deny: [] }, 'amd64'), 'amd64').program,
    },
  });
}

/**
 * @param {Uint8Array} bytes
 * @param {string} from
 * @param {string} to
 */
function changed(bytes, from, to) {
  return Buffer.from(Buffer.from(bytes).toString('latin1').replace(from, to), 'latin1');
}

/**
 * A byte for the harness, and `struct message` of native/inside.h.
 * @param {number} how
 * @param {number} kind
 * @param {number} step
 */
function packet(how, kind, step) {
  const bytes = Buffer.alloc(1 + 32);
  bytes.writeUInt8(how, 0);
  bytes.writeUInt32LE(kind, 1);
  bytes.writeUInt32LE(step, 5);
  bytes.writeInt32LE(13, 9);
  return bytes;
}

/**
 * As getdents64(2) writes it.
 * @param {string} name
 */
function entry(name) {
  const bytes = Buffer.alloc(Math.ceil((19 + name.length + 1) / 8) * 8);
  bytes.writeUInt16LE(bytes.length, 16);
  bytes.write(name, 19, 'latin1');
  return bytes;
}

/** @type {Readonly<Record<string, readonly Uint8Array[]>>} */
const SEEDS = {
  plan: [
    plan({ isOne: true, isTraced: false, profile: 'python' }),
    plan({ isOne: false, isTraced: false, profile: 'python-subprocess' }),
    plan({ isOne: false, isTraced: true, profile: 'python' }),
    plan({ isOne: false, isTraced: false, profile: 'python', tier: 'D' }),
    encodeJob({
      arguments: ['/usr/bin/python3', '-I', '-B', '/run/program/main.py', 'a b', ''],
      environment: { LANG: 'C.UTF-8', HOME: '/tmp' },
      limits: cellLimits(DEFAULT_LIMITS),
      program: { name: 'main.py', content: Buffer.from('print(6 * 7)\n') },
    }),
    // Refused: a way up.
    changed(plan({ isOne: false, isTraced: true, profile: 'python' }), 'in/a.txt', 'in/../ab'),
  ],
  prepared: [preparedPlan('A'), preparedPlan('D')],
  link: [
    packet(3, 2, 0),
    packet(16, 3, 0),
    packet(0, 1, 12),
    packet(6, 2, 0),
    packet(2, 1, 0),
    // Of a cell that waits, and with a proxy too.
    packet(32 + 4, 2, 0),
    packet(32 + 128 + 5, 2, 0),
    packet(32 + 3, 2, 0),
    packet(5, 2, 0),
    packet(32 + 5, 2, 0),
    packet(64, 3, 0),
    packet(64 + 3, 2, 0),
  ],
  frames: [Buffer.concat(['.', '..', 'a.txt', 'x'.repeat(255)].map(entry)), entry('a').subarray(0, 20)],
  status: ['\0\u0008reading\u0001\u0008low 0\nhigh 1\n\u0002\u0001\u00ff\u0003', '\u0003\u0003'].map((text) =>
    Buffer.from(text, 'latin1'),
  ),
  shim: ['', '41,42, 43 ,1023', '1024,-1,x,,  7', Array.from({ length: 400 }, (_, nr) => nr).join(',')].map((text) =>
    Buffer.from(text),
  ),
};

for (const [name, seeds] of Object.entries(SEEDS)) {
  const target = join(folder, `seeds-${name}`);
  mkdirSync(target, { recursive: true });
  for (const [index, seed] of seeds.entries()) writeFileSync(join(target, `${index}`), seed);
}
