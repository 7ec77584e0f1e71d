import { availableParallelism } from 'node:os';
import type { UnpackedArtifact } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import { canonicalJson } from './base/canonical-json.ts';
import type { Digest } from './base/digest.ts';
import { digestOf } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { keepHeapLean } from './lean-heap.ts';
import type { LockedTarget } from './lock/lockfile.ts';
import { prepareHost } from './prepare-host.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { Artifact, HostPart } from './resolve/resolution.ts';
import { hasArtifact, openArtifact, verifyArtifact } from './store/artifacts.ts';
import type { Store } from './store/store.ts';
import { readUnpacked, writeUnpacked } from './store/unpacked.ts';

export interface PrepareRequest {
  readonly recipe: Recipe;
  readonly architecture: Architecture;
  readonly target: LockedTarget;
  /** The lockfile's format: another one unpacks anew. */
  readonly format: number;
}

/** A locked artifact, unpacked; `key` is the name under which the store has its contents. */
export interface PreparedArtifact {
  readonly artifact: Artifact | HostPart;
  readonly key: Digest;
  readonly unpacked: UnpackedArtifact;
}

/** A tree of more is where memory counts for more than a tenth of a second. */
const MANY_ENTRIES = 20_000;

interface KeyedArtifact extends Omit<PreparedArtifact, 'unpacked'> {
  readonly artifact: Artifact;
}

/**
 * Locked artifacts → unpacked artifacts in the store, in the same order. Each is downloaded and unpacked once in the life of
 * a store; what is there already costs a look. Files of a host are copied instead.
 */
export async function prepareArtifacts(
  request: PrepareRequest,
  context: PipelineContext,
): Promise<readonly PreparedArtifact[]> {
  const { target } = request;
  const keyed = [...target.debs, ...target.wheels].map((artifact) => ({
    artifact,
    key: unpackedKey(artifact, request),
  }));
  const found = new Map<Digest, UnpackedArtifact>();
  for (const { key } of keyed) {
    const unpacked = await readUnpacked(context.store, key);
    if (unpacked !== undefined) found.set(key, unpacked);
  }
  const missing = keyed.filter(({ key }) => !found.has(key));
  const entries = [...found.values()].reduce((sum, unpacked) => sum + unpacked.entries.length, 0);
  if (missing.length > 0 || entries > MANY_ENTRIES) keepHeapLean();
  if (missing.length > 0) {
    // Loaded only now: what asks for artifacts is many files, and most builds have all.
    const { fetchArtifacts } = await import('./fetch-artifacts.ts');
    await fetchArtifacts({ ...request, artifacts: missing.map(({ artifact }) => artifact) }, context);
  }
  for (const { key, unpacked } of await unpackMissing(missing, request, context)) found.set(key, unpacked);
  const packages = keyed.map(({ artifact, key }) => ({ artifact, key, unpacked: required(found.get(key)) }));
  return [...packages, ...(await prepareHost(request, context))];
}

/** The locked artifacts that the store has in no form, so that they must be had from somewhere. */
export async function missingArtifacts(request: PrepareRequest, store: Store): Promise<readonly Artifact[]> {
  const missing: Artifact[] = [];
  for (const artifact of [...request.target.debs, ...request.target.wheels]) {
    const isThere =
      (await hasArtifact(store, artifact.digest, artifact.size)) ||
      (await readUnpacked(store, unpackedKey(artifact, request))) !== undefined;
    if (!isThere) missing.push(artifact);
  }
  return missing;
}

/** What decides the unpacked form: the bytes, the format, and for a wheel where Python wants it. */
function unpackedKey(artifact: Artifact, { target, format }: PrepareRequest): Digest {
  const { kind, name, version, digest } = artifact;
  const { interpreter } = target;
  const place =
    kind === 'deb' || interpreter === undefined
      ? undefined
      : { path: interpreter.path, sitePath: interpreter.sitePath, prefix: interpreter.prefix };
  return digestOf(canonicalJson({ format, kind, name, version, digest, place }));
}

async function unpackMissing(
  missing: readonly KeyedArtifact[],
  { target }: PrepareRequest,
  context: PipelineContext,
): Promise<readonly PreparedArtifact[]> {
  if (missing.length === 0) return [];
  // Loaded only now: most builds unpack nothing, and the readers of archives are many files.
  const { default: pMap } = await import('p-map');
  const { signal, progress } = context;
  const total = { items: missing.length };
  progress({ kind: 'begin', step: 'unpack', title: `unpack ${missing.length} artifacts`, total });
  let items = 0;
  const unpack = async ({ artifact, key }: KeyedArtifact): Promise<PreparedArtifact> => {
    signal.throwIfAborted();
    const unpacked = await unpackOne({ artifact, key }, target, context);
    items += 1;
    progress({ kind: 'advance', step: 'unpack', done: { items }, detail: artifact.name });
    return { artifact, key, unpacked };
  };
  // Whoever works goes on to the end: the store must not be closed before nobody uses it any more.
  const options = { concurrency: availableParallelism(), stopOnError: false };
  const prepared = await pMap(missing, unpack, options).catch((error: unknown) => {
    signal.throwIfAborted();
    throw allProblems(error);
  });
  const files = prepared.reduce((sum, { unpacked }) => sum + unpacked.entries.length, 0);
  progress({ kind: 'end', step: 'unpack', summary: `${missing.length} artifacts, ${files} files` });
  return prepared;
}

async function unpackOne(
  { artifact, key }: KeyedArtifact,
  { interpreter }: LockedTarget,
  { store }: PipelineContext,
): Promise<UnpackedArtifact> {
  const { unpackArtifact } = await import('./assemble/unpack-artifact.ts');
  await verifyArtifact(store, artifact.digest);
  const source = await openArtifact(store, artifact.digest);
  try {
    return await writeUnpacked(store, key, (sink) => unpackArtifact({ artifact, source, interpreter, sink }));
  } finally {
    await source.close();
  }
}

/** The faults of several artifacts as one error. */
function allProblems(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  const errors: readonly unknown[] = error.errors;
  const expected = errors.filter((one) => one instanceof RootcellarError);
  if (expected.length < errors.length) return errors.find((one) => !(one instanceof RootcellarError));
  return RootcellarError.ofProblems(expected.flatMap(({ problems }) => problems));
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('unreachable: an artifact was not unpacked');
  return value;
}
