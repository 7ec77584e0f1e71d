import { chown, constants, copyFile, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import type { Architecture } from './base/architecture.ts';
import type { Digest } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { lockedTarget } from './built-image.ts';
import { hostBytes, lockedArtifacts, lockedHostFiles } from './lock/locked-artifacts.ts';
import { lockfilePath, writeLockfile } from './lock/lockfile-files.ts';
import type { Lockfile } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { Artifact } from './resolve/resolution.ts';
import { artifactPath, hasArtifact } from './store/artifacts.ts';
import { firstDifferences, type PathDifference } from './store/first-difference.ts';
import type { Image } from './store/image-record.ts';
import { findImage, imageContents, listImages, readTree } from './store/images.ts';
import { Store } from './store/store.ts';
import { checkVendored, takeVendored } from './store/vendor-folder.ts';
import { vendorPlan, type VendoredArtifact } from './store/vendor-names.ts';

export interface RebuildRequest {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architecture: Architecture;
  /** The compiled program of the command line. */
  readonly command: string;
  /** Address of the module that changes a build's surroundings. */
  readonly preload: string;
  /** Effective user. */
  readonly uid: number;
}

export interface Rebuild {
  readonly diffIds: readonly [Digest, Digest];
  /** What the lockfile promises; undefined before a first build. */
  readonly promise: Digest | undefined;
  /** The first difference of each path: between the two builds, else between the promised image, where it is kept, and them. */
  readonly differences: readonly PathDifference[];
  /** What was different around the two builds. */
  readonly conditions: readonly string[];
}

interface Conditions {
  readonly umask: number;
  readonly processors: number;
  readonly reversed: boolean;
  readonly clockDays: number;
  readonly environment: Readonly<Record<string, string>>;
}

const FIRST: Conditions = {
  umask: 0o022,
  processors: 4,
  reversed: false,
  clockDays: 0,
  environment: { TZ: 'UTC', LANG: 'C', LC_ALL: 'C' },
};

const SECOND: Conditions = {
  umask: 0o077,
  processors: 1,
  reversed: true,
  clockDays: 100,
  environment: {
    TZ: 'Asia/Kathmandu',
    LANG: 'tr_TR.UTF-8',
    LC_ALL: 'tr_TR.UTF-8',
    SOURCE_DATE_EPOCH: '1',
    PYTHONHASHSEED: '7',
  },
};

const VARIED = ['umask', 'time zone', 'language', 'folder', 'TMPDIR', 'order of folders', 'processors', 'clock'];
const NOBODY = 65_534;

/**
 * Builds a locked recipe twice, each time in an empty store that has nothing but the artifacts, under conditions that are as
 * unlike as can be had, and compares. Throws E_VERIFY_FAILED when a build fails; a difference is a result.
 */
export async function rebuildImage(request: RebuildRequest, context: PipelineContext): Promise<Rebuild> {
  const { progress } = context;
  progress({ kind: 'begin', step: 'check', title: `build ${request.recipe.name} twice for ${request.architecture}` });
  const other = await otherUser(request);
  const first = await mkdtemp(join(tmpdir(), 'rootcellar-a-'));
  const second = await mkdtemp(join(tmpdir(), 'rootcellar-rebuilt-elsewhere-'));
  try {
    await buildIn({ folder: first, cwd: '/', conditions: FIRST, uid: undefined }, request, context);
    await buildIn({ folder: second, cwd: second, conditions: SECOND, uid: other }, request, context);
    const rebuild = await compareBuilds([first, second], request, context);
    progress({ kind: 'end', step: 'check', summary: `${rebuild.differences.length} paths differ` });
    return { ...rebuild, conditions: other === undefined ? VARIED : [...VARIED, 'user'] };
  } finally {
    await rm(first, { recursive: true, force: true });
    await rm(second, { recursive: true, force: true });
  }
}

/** Root can build as somebody else, where that one may read this program; files of this machine may be for root only. */
async function otherUser({ recipe, command, uid }: RebuildRequest): Promise<number | undefined> {
  if (uid !== 0 || recipe.base.kind !== 'debian') return undefined;
  const options = { uid: NOBODY, gid: NOBODY, cwd: '/', reject: false } as const;
  const probe = await execa(process.execPath, [command, '--version'], options);
  return probe.exitCode === 0 ? NOBODY : undefined;
}

interface Place {
  readonly folder: string;
  readonly cwd: string;
  readonly conditions: Conditions;
  /** Undefined: as this process. */
  readonly uid: number | undefined;
}

async function buildIn(
  { folder, cwd, conditions, uid }: Place,
  request: RebuildRequest,
  context: PipelineContext,
): Promise<void> {
  const { recipe, architecture, command, preload } = request;
  const { environment, signal } = context;
  await copyInputs(folder, request, context);
  await mkdir(join(folder, 'tmp'));
  if (uid !== undefined) await giveTo(folder, uid);
  const { umask, processors, reversed, clockDays } = conditions;
  const copy = join(folder, 'recipe', basename(recipe.file));
  const words = ['--import', preload, command, 'build', copy, '--arch', architecture, '--json', '-q'];
  const ended = await execa(process.execPath, words, {
    reject: false,
    cancelSignal: signal,
    cwd,
    ...(uid === undefined ? {} : { uid, gid: uid }),
    extendEnv: false,
    env: {
      ...environment,
      ...conditions.environment,
      ...(uid === undefined ? {} : { HOME: '/nonexistent' }),
      TMPDIR: join(folder, 'tmp'),
      ROOTCELLAR_HOME: join(folder, 'store'),
      ROOTCELLAR_REBUILD: JSON.stringify({ umask, processors, reversed, clockDays }),
    },
  });
  signal.throwIfAborted();
  if (ended.exitCode !== 0) throw buildError(`${ended.stdout}\n${ended.stderr}`);
}

/** The recipe with a lockfile that promises nothing, and what the store or the vendor folder has of its artifacts. */
async function copyInputs(folder: string, request: RebuildRequest, context: PipelineContext): Promise<void> {
  const { recipe, lock, architecture } = request;
  for (const { path } of recipe.sources) {
    await mkdir(dirname(join(folder, 'recipe', path)), { recursive: true });
    await cp(join(dirname(recipe.file), path), join(folder, 'recipe', path));
  }
  const file = join(folder, 'recipe', basename(recipe.file));
  const targets = [...lock.targets].map(
    ([name, one]) => [name, Object.assign({}, one, { diffId: undefined })] as const,
  );
  await writeLockfile(lockfilePath({ file }), { ...lock, targets: new Map(targets) });
  const target = lockedTarget(lock, architecture);
  await copyArtifacts(join(folder, 'store', 'artifacts'), lockedArtifacts(target), context);
  if (target.host === undefined || context.vendor === undefined) return;
  const plan = vendorPlan(hostBytes(lockedHostFiles(target.host)));
  const to = join(folder, 'recipe', 'vendor');
  await copyVendored({ from: context.vendor, to, signal: context.signal }, plan);
}

async function copyArtifacts(
  folder: string,
  artifacts: readonly Artifact[],
  { store, vendor, signal }: PipelineContext,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const artifact of artifacts) {
    const { digest, size } = artifact;
    if (!(await hasArtifact(store, digest, size))) {
      if (vendor === undefined) continue;
      if ((await takeVendored(vendor, artifact, { store, signal })).kind !== 'sound') continue;
    }
    const path = artifactPath(store, digest);
    await copyFile(path, join(folder, basename(path)), constants.COPYFILE_FICLONE);
  }
}

/** What is missing or wrong there comes from this machine, as in any build, or the builds say that it does not. */
async function copyVendored(
  { from, to, signal }: { readonly from: string; readonly to: string; readonly signal: AbortSignal },
  plan: readonly VendoredArtifact[],
): Promise<void> {
  for (const one of plan) {
    if ((await checkVendored(from, one, signal)).kind !== 'sound') continue;
    await mkdir(dirname(join(to, one.path)), { recursive: true });
    await copyFile(join(from, one.path), join(to, one.path), constants.COPYFILE_FICLONE);
  }
}

async function giveTo(folder: string, uid: number): Promise<void> {
  await chown(folder, uid, uid);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveTo(path, uid);
    else await chown(path, uid, uid);
  }
}

/** Of what a build with `--json` wrote. */
function buildError(output: string): RootcellarError {
  const line = output.split('\n').find((text) => text.includes('"event":"error"')) ?? '';
  const [, code = '', message = ''] = /"code":"(E_\w+)".*?"message":("(?:[^"\\]|\\.)*")/.exec(line) ?? [];
  const text = message === '' ? output.trim().slice(-2000) : `${code}: ${String(JSON.parse(message))}`;
  return new RootcellarError('E_VERIFY_FAILED', `one of the two builds failed: ${text}`);
}

async function compareBuilds(
  folders: readonly [string, string],
  { lock, architecture, recipe }: RebuildRequest,
  { store }: PipelineContext,
): Promise<Omit<Rebuild, 'conditions'>> {
  const promise = lockedTarget(lock, architecture).diffId;
  const first = await openBuild(folders[0], recipe.name, architecture);
  const second = await openBuild(folders[1], recipe.name, architecture);
  try {
    const diffIds = [first.image.diffId, second.image.diffId] as const;
    if (diffIds[0] !== diffIds[1]) return { diffIds, promise, differences: await differencesOf(first, second) };
    const kept = promise === undefined || promise === diffIds[0] ? undefined : await promisedImage(store, promise);
    if (kept === undefined) return { diffIds, promise, differences: [] };
    return { diffIds, promise, differences: await differencesOf({ store, image: kept }, first) };
  } finally {
    await first.store.close();
    await second.store.close();
  }
}

interface Build {
  readonly store: Store;
  readonly image: Image;
}

async function openBuild(folder: string, name: string, architecture: Architecture): Promise<Build> {
  const store = await Store.open({ home: join(folder, 'store'), trusted: NOBODY });
  return { store, image: await findImage(store, name, architecture) };
}

async function promisedImage(store: Store, promise: Digest): Promise<Image | undefined> {
  return (await listImages(store)).find(({ diffId }) => diffId === promise);
}

async function differencesOf(one: Build, other: Build): Promise<readonly PathDifference[]> {
  const before = { tree: await readTree(one.store, one.image), contents: imageContents(one.store, one.image) };
  const after = { tree: await readTree(other.store, other.image), contents: imageContents(other.store, other.image) };
  try {
    return firstDifferences(before, after);
  } finally {
    before.contents.close();
    after.contents.close();
  }
}
