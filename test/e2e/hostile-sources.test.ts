import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/base/progress.ts';
import { RootcellarError } from '../../src/base/rootcellar-error.ts';
import { buildWheel } from '../../src/build-wheel.ts';
import { parseLockfile } from '../../src/lock/lockfile-parser.ts';
import type { PipelineContext } from '../../src/pipeline-context.ts';
import { readRecipe } from '../../src/recipe/recipe-files.ts';
import type { Limits, Recipe } from '../../src/recipe/recipe.ts';
import type { BuildEnvironment, BuiltWheel } from '../../src/resolve/wheel-builder.ts';
import { policyVocabulary } from '../../src/run/policy.ts';
import { putArtifact } from '../../src/store/put-artifact.ts';
import { Store } from '../../src/store/store.ts';
import { rootcellar, sharedHome, workplace, type Workplace } from '../support/command.ts';
import { toyProject, type ToyProject } from '../support/toy-source.ts';

const MIB = 1024 ** 2;

let work: Workplace;
let store: Store;
let recipe: Recipe;
let environment: BuildEnvironment;

beforeAll(async () => {
  work = await workplace();
  const yaml = 'name: bare\nbase: { debian: { suite: trixie, packages: [python3] } }\n';
  await work.write({ 'bare/recipe.yaml': yaml });
  const locked = await rootcellar(['lock', work.path('bare')]);
  if (locked.status !== 0) throw new Error(locked.stderr);
  recipe = await readRecipe(work.path('bare'), policyVocabulary());
  const lock = parseLockfile(await readFile(work.path('bare/recipe.lock.json'), 'utf8'), 'recipe.lock.json');
  const target = lock.targets.get('amd64');
  if (target?.interpreter === undefined) throw new Error('no interpreter is locked');
  environment = { architecture: 'amd64', interpreter: target.interpreter, debs: target.debs };
  store = await Store.open({ home: sharedHome() });
});

afterAll(async () => {
  await store.close();
  await work[Symbol.asyncDispose]();
});

async function build(project: Partial<ToyProject>, limits: Partial<Limits> = {}): Promise<BuiltWheel> {
  const whole = { name: 'evil', version: '1.0', ...project };
  const kept = await putArtifact(store, await toyProject(whole));
  const file = `${whole.name}-${whole.version}.tar.gz`;
  const source = {
    kind: 'sdist',
    name: whole.name,
    version: whole.version,
    file,
    ...kept,
    uploaded: undefined,
  } as const;
  const context: PipelineContext = {
    store,
    environment: { PATH: process.env['PATH'] },
    hostArchitecture: 'amd64',
    signal: new AbortController().signal,
    progress: noProgress,
    now: 1_600_000_000,
  };
  const outcome = await buildWheel(
    { recipe, job: { source, requirements: [], known: [], environment }, limits },
    context,
  );
  if (outcome.kind === 'wheel') return outcome.wheel;
  throw new Error(`it wants ${outcome.requires.join()}`);
}

async function failure(hostile: string, limits: Partial<Limits> = {}): Promise<RootcellarError> {
  const error: unknown = await build(
    { hostile },
    { wallMs: 20_000, memoryBytes: 512 * MIB, tmpBytes: 64 * MIB, ...limits },
  ).then(
    () => new Error('it was built'),
    (reason: unknown) => reason,
  );
  if (error instanceof RootcellarError) return error;
  throw error;
}

describe('a build', () => {
  it('gives the same bytes each time, though its backend writes the time of day', async () => {
    const first = await build({ name: 'kind' });
    const again = await build({ name: 'kind' });
    expect(again).toEqual(first);
  });

  it('sees nothing of the host, has no network, no rights, and nothing of another build', async () => {
    const hostile = `
import socket, json
def tried(action):
    try: return repr(action())
    except OSError as error: return error.strerror
raise RuntimeError(json.dumps([
    [path for path in ("/etc/shadow", "/proc/1", "/work", "/var/lib/rootcellar") if os.path.exists(path)],
    tried(lambda: socket.socket()), tried(lambda: socket.create_connection(("1.1.1.1", 443), 1)),
    tried(lambda: open("/usr/x", "w")), os.getuid() > 1000000, sorted(os.environ), os.listdir("/tmp"), sys.path[0],
]))`;
    const { hint = '', code } = await failure(hostile);
    expect(code).toBe('E_WHEEL_BUILD');
    const log = await readFile(/less (\S+)$/.exec(hint)?.[1] ?? '', 'utf8');
    expect(JSON.parse(/RuntimeError: (.*)/.exec(log)?.[1] ?? '')).toEqual([
      [],
      'Operation not permitted',
      'Operation not permitted',
      'Read-only file system',
      true,
      expect.arrayContaining(['HOME', 'LC_ALL', 'PATH', 'PYTHONHASHSEED', 'SOURCE_DATE_EPOCH', 'TMPDIR']),
      ['build'],
      '/tmp/build/source/_build',
    ]);
  });

  it.each<[string, string, Partial<Limits>, RegExp]>([
    ['sleeps', 'time.sleep(600)', { wallMs: 1500 }, /took longer than 1.5 s/],
    ['computes for ever', 'while True: pass', { cpuMs: 1500 }, /used more than 1.5 s of processor time/],
    ['takes all memory', 'x = bytearray(2**30)', { memoryBytes: 128 * MIB }, /more than 128 MiB of memory|MemoryError/],
    ['floods stdout', 'while True: print("x" * 10000)', { outputBytes: MIB }, /wrote more than 1 MiB/],
    [
      'fills the disk',
      'open("/tmp/x", "wb").write(bytes(2**28))',
      { tmpBytes: 8 * MIB },
      /No space left|File too large/,
    ],
    [
      'forks for ever',
      'while True: os.fork()',
      { processes: 24, wallMs: 4000 },
      /Resource temporarily|status|took longer|backend/,
    ],
    ['is killed', 'os.kill(os.getpid(), 9)', {}, /hook wheel ended with status -9/],
    ['kills its driver', 'os.kill(os.getppid(), 9)', {}, /was ended by SIGKILL/],
    ['exits as if all were well', 'os._exit(0)', {}, /backend|status/],
    ['raises', 'raise ValueError("no \\x1b[31m colours")', {}, /ValueError: no {2}?\[31m colours/],
    ['makes no wheel', 'return "evil-1.0-py3-none-any.whl"', {}, /made no wheel/],
    ['names another file', 'return "../../../etc/passwd"', {}, /says that it made/],
    ['makes a link', 'os.symlink("/etc/passwd", folder + "/x.whl"); return "x.whl"', {}, /made no wheel/],
    ['makes a pipe', 'os.mkfifo(folder + "/x.whl"); return "x.whl"', {}, /made no wheel/],
    ['makes another project', 'return write(folder, "other")', {}, /`other 1.0` in .* not `evil 1.0`/],
    ['makes it for another system', 'return write(folder, tag="cp312-cp312-win_amd64")', {}, /do not fit/],
    [
      'makes junk',
      'open(folder + "/evil-1.0-py3-none-any.whl", "w").write("x"); return "evil-1.0-py3-none-any.whl"',
      {},
      /not a zip/,
    ],
  ])('that %s is one clear error', async (_, hostile, limits, message) => {
    const error = await failure(hostile, limits);
    expect(['E_WHEEL_BUILD', 'E_ARTIFACT_INVALID']).toContain(error.code);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\u001b');
  });

  it('keeps all that the backend said, and shows the end of it', async () => {
    const error = await failure('for n in range(100): print("line", n)\nraise SystemExit(1)');
    expect(error.message).toContain('line 99');
    expect(error.message).not.toContain('line 5\n');
    const log = /less (\S+)$/.exec(error.hint ?? '')?.[1] ?? '';
    expect(await readFile(log, 'utf8')).toContain('line 5\n');
  });

  it('that leaves processes behind is still a good one', async () => {
    const hostile = 'if os.fork() == 0:\n    time.sleep(600)';
    expect((await build({ name: 'left', hostile }, { wallMs: 20_000 })).file).toBe('left-1.0-py3-none-any.whl');
  });

  it('may run what it has compiled', async () => {
    const hostile = `
import shutil, subprocess
shutil.copy(sys.executable, "/tmp/build/program")
assert subprocess.run(["/tmp/build/program", "-c", "print(6 * 7)"], capture_output=True, text=True).stdout == "42\\n"`;
    expect((await build({ name: 'compiled', hostile })).file).toBe('compiled-1.0-py3-none-any.whl');
  });

  it('runs nothing of a source on the host, not even to look at it', async () => {
    const atImport = 'raise RuntimeError("uid %d, %s" % (os.getuid(), os.path.exists("/work")))';
    await expect(build({ name: 'seen', atImport })).rejects.toMatchObject({
      code: 'E_WHEEL_BUILD',
      message: expect.stringMatching(/uid 19000\d{5}, False/),
    });
  });
});
