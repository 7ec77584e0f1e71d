import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { formatDuration, formatSize } from '../../src/base/units.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import { startProgram } from '../../src/run-program.ts';
import type { Image } from '../../src/store/image-record.ts';
import { findImage } from '../../src/store/images.ts';
import { materialiseRootfs } from '../../src/store/rootfs-folder.ts';
import { Store } from '../../src/store/store.ts';
import { COMMAND, copyRecipe } from '../support/command.ts';
import { measureFilterLoads } from './filter-load.ts';
import { launcherAlone } from './launcher-alone.ts';
import { peakOfTree, startLargeIndex } from './large-image.ts';
import { phaseTimes, type PhaseTime } from './phase-times.ts';

const run = promisify(execFile);
const rows: string[] = [];
const phases: string[] = [];

/** Milliseconds that `action` takes. */
async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Both sides in turns, `count` times; `before` is not counted. Adds a row with medians and their ratio. */
async function compare(what: string, goal: number, sides: Sides): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let turn = 0; turn < sides.count; turn += 1) {
    await sides.before?.();
    ours.push(await timed(sides.ours));
    theirs.push(await timed(sides.theirs));
  }
  addRow(what, goal, [median(ours), median(theirs)]);
}

interface Sides {
  readonly count: number;
  readonly before?: () => Promise<unknown>;
  readonly ours: () => Promise<unknown>;
  readonly theirs: () => Promise<unknown>;
}

function addRow(what: string, goal: number, [ours, theirs]: readonly [number, number]): void {
  const ratio = (ours / theirs).toFixed(2);
  const times = `${formatDuration(ours)} : ${formatDuration(theirs)}`;
  rows.push(`| ${what} | ${ratio} | ≤ ${goal} | ${times} |`);
}

/** Prints the median of so many, in µs; some more would end the run. */
const DENIED_CALLS = `
import os, time
times = []
for _ in range(900):
    start = time.perf_counter()
    try:
        os.sched_setaffinity(0, {0})
    except PermissionError:
        times.append(time.perf_counter() - start)
print(sorted(times)[450] * 1e6)
`;

describe.sequential('ratios', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rootcellar-bench-'));
  const home = join(folder, 'store');
  const recipe = join(folder, 'python');
  const environment = { ...process.env, ROOTCELLAR_HOME: home };
  const rootcellar = (...words: string[]): Promise<unknown> =>
    run(process.execPath, [COMMAND, ...words], { env: environment });
  let store: Store;
  let image: Image;
  let rootfs: string;
  let context: PipelineContext;

  beforeAll(async () => {
    await copyRecipe('python', recipe);
    await rootcellar('build', recipe);
    store = await Store.open({ home });
    image = await findImage(store, 'python');
    rootfs = await materialiseRootfs(store, image, { progress: noProgress });
    const { signal } = new AbortController();
    const now = Math.floor(Date.now() / 1000);
    context = { store, environment, hostArchitecture: 'amd64', signal, progress: noProgress, now };
  });

  afterAll(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
    console.log(['', '| what | ratio | goal | medians |', '| --- | --- | --- | --- |', ...rows, ''].join('\n'));
    console.log(['| phase of a build from lock and warm store | ms |', '| --- | --- |', ...phases, ''].join('\n'));
  });

  /** What a build leaves in the store besides unpacked artifacts. */
  function forgetImages(): void {
    for (const name of ['images', 'names', 'inputs']) {
      rmSync(join(home, name), { recursive: true });
      mkdirSync(join(home, name), { mode: 0o700 });
    }
  }

  it('build from lock and warm store, against GNU tar and sha256sum of the same tree', async () => {
    const tar = join(folder, 'theirs.tar');
    await compare('build from lock and warm store : GNU tar + sha256sum', 1, {
      count: 9,
      before: async () => forgetImages(),
      ours: () => rootcellar('build', recipe, '--locked', '-o', join(folder, 'ours.tar')),
      theirs: () => run('sh', ['-c', `tar --sort=name -C "${rootfs}" -cf "${tar}" . && sha256sum "${tar}"`]),
    });
    expect(rows).toHaveLength(1);
  });

  it('where the time of a build from lock and warm store goes', async () => {
    const runs: (readonly PhaseTime[])[] = [];
    for (let turn = 0; turn < 9; turn += 1) {
      forgetImages();
      runs.push(await phaseTimes(['build', recipe, '--locked', '-o', join(folder, 'ours.tar')], environment));
    }
    const names = runs[0]?.map(({ phase }) => phase) ?? [];
    for (const [index, phase] of names.entries()) {
      phases.push(`| ${phase} | ${Math.round(median(runs.map((times) => times[index]?.ms ?? Number.NaN)))} |`);
    }
    expect(names.length).toBeGreaterThan(4);
  });

  it('build with nothing changed, against `node -e 0`', async () => {
    await rootcellar('build', recipe);
    await compare('build with nothing changed : node -e 0', 4, {
      count: 15,
      ours: () => rootcellar('build', recipe),
      theirs: () => run(process.execPath, ['-e', '0']),
    });
    expect(rows.at(-1)).toContain('node -e 0');
  });

  it('cold run, against bubblewrap with the same interpreter and code', async () => {
    const python = ['/usr/bin/python3.13', '-I', '-B', '-c', 'print(1)'];
    const mounts = ['--ro-bind', rootfs, '/', '--tmpfs', '/tmp', '--dev', '/dev', '--chdir', '/tmp'];
    const theirs = (): Promise<unknown> =>
      run('bwrap', ['--unshare-all', '--die-with-parent', '--clearenv', ...mounts, ...python]);
    const alone = await launcherAlone({ image, root: rootfs, code: 'print(1)', folder }, context);
    await compare('cold run by cell : bubblewrap, same interpreter and code', 1, {
      count: 41,
      ours: async () => expect(await alone()).toBe('1\n'),
      theirs,
    });
    await compare('the same by the library, report included : bubblewrap', 1, {
      count: 41,
      ours: async () => {
        const request = {
          image,
          program: { kind: 'code', code: 'print(1)' },
          arguments: [],
          limits: {},
          stdio: 'capture',
        } as const;
        const { report } = await startProgram(request, context);
        expect((await report).stdout).toBe('1\n');
      },
      theirs,
    });
  });

  it('a denied call, from the program’s request to its error', async () => {
    const request = { image, arguments: [], limits: {}, stdio: 'capture' } as const;
    const { report } = await startProgram({ ...request, program: { kind: 'code', code: DENIED_CALLS } }, context);
    const { stdout = '', denied } = await report;
    expect(denied).toMatchObject([{ syscall: 'sched_setaffinity', count: 900 }]);
    rows.push(`| a denied call, named by the launcher | ${Math.round(Number(stdout))} µs | ≤ 100 µs | |`);
  });

  it('default profile load, against libseccomp', () => {
    const { ours, libseccomp } = measureFilterLoads(2000);
    rows.push(
      `| default profile load : libseccomp’s filter of the same rules | ${(ours / libseccomp).toFixed(2)} | ≤ 0.5 | ${Math.round(ours / 1000)} µs : ${Math.round(libseccomp / 1000)} µs |`,
    );
    expect(ours).toBeGreaterThan(0);
  });

  it('build from downloads, bytecode included, against mmdebstrap with the same packages', async () => {
    const { base } = JSON.parse(readFileSync(join(recipe, 'recipe.lock.json'), 'utf8')).recipe.inputs;
    const include = `--include=${base.debian.packages.join(',')}`;
    const other = join(folder, 'other');
    await compare('build from downloads, cold store : mmdebstrap, its downloads included', 0.25, {
      count: 1,
      before: async () => cpSync(join(home, 'artifacts'), join(other, 'artifacts'), { recursive: true }),
      ours: () =>
        run(process.execPath, [COMMAND, 'build', recipe, '--locked'], {
          env: { ...environment, ROOTCELLAR_HOME: other },
        }),
      theirs: () =>
        run('mmdebstrap', ['--variant=essential', include, base.debian.suite, join(folder, 'mmdebstrap.tar')], {
          maxBuffer: 2 ** 26,
        }),
    });
    expect(rows.at(-1)).toContain('mmdebstrap');
  });

  it('peak memory of a cold build', async () => {
    const other = join(folder, 'memory');
    cpSync(join(home, 'artifacts'), join(other, 'artifacts'), { recursive: true });
    const file = join(folder, 'peak');
    const hook = `process.on('exit',()=>{require('fs').writeFileSync(${JSON.stringify(file)},String(process.resourceUsage().maxRSS*1024))})`;
    writeFileSync(join(folder, 'hook.cjs'), hook);
    execFileSync(process.execPath, ['--require', join(folder, 'hook.cjs'), COMMAND, 'build', recipe, '--locked'], {
      env: { ...environment, ROOTCELLAR_HOME: other },
      stdio: 'ignore',
    });
    rows.push(
      `| peak memory of a build from downloads | ${formatSize(Number(readFileSync(file, 'utf8')))} | ≤ 300 MiB | |`,
    );
    expect(rows.length).toBeGreaterThan(4);
  });

  it('peak memory of all processes of a build, downloads included, of an image of more than 2 GB', async () => {
    await using large = await startLargeIndex(join(folder, 'large'), 1);
    const environmentOfLarge = { ...environment, ROOTCELLAR_HOME: join(folder, 'large-store') };
    await run(process.execPath, [COMMAND, 'lock', large.recipe], { env: environmentOfLarge });
    const command = [process.execPath, COMMAND, 'build', large.recipe];
    const { peakBytes, stdout } = await peakOfTree(command, environmentOfLarge);
    const size = stdout.trim().split(' ').slice(-2).join(' ');
    rows.push(`| peak memory of all processes, image of ${size} | ${formatSize(peakBytes)} | ≤ 300 MiB | |`);
    expect(stdout).toContain('GiB');
  });
});
