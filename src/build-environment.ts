import { rm } from 'node:fs/promises';
import { assembleTree } from './assemble/assemble-tree.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, type Digest } from './base/digest.ts';
import type { LockedTarget } from './lock/lockfile.ts';
import { FORMAT_VERSION } from './lock/lockfile.ts';
import { generatedContents } from './generated-contents.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { prepareArtifacts } from './prepare-artifacts.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { WheelArtifact } from './resolve/resolution.ts';
import type { BuildEnvironment } from './resolve/wheel-builder.ts';
import { packagesOfLibraries } from './missing-packages.ts';
import { openContents } from './store/contents.ts';
import type { Store } from './store/store.ts';
import { writeTree } from './store/tree-writer.ts';

export interface EnvironmentRequest {
  readonly recipe: Recipe;
  readonly environment: BuildEnvironment;
  /** The wheels that are installed in it. */
  readonly requirements: readonly WheelArtifact[];
}

/** A root filesystem that is laid out, and how many builds are in it. */
interface BuildRoot {
  readonly folder: Promise<string>;
  users: number;
}

/** By what is in them. They lie in the store's temporary folder, and go with it. */
const ROOTS = new WeakMap<Store, Map<Digest, BuildRoot>>();

/**
 * Does `action` with the folder of a root filesystem in which a wheel can be built: put together as images are, from the
 * same parts in the store, but without bytecode. Builds cannot change it, so the next one with the same parts gets it too.
 */
export async function withBuildRoot<T>(
  request: EnvironmentRequest,
  context: PipelineContext,
  action: (root: string) => Promise<T>,
): Promise<T> {
  const roots = ROOTS.get(context.store) ?? new Map<Digest, BuildRoot>();
  ROOTS.set(context.store, roots);
  const key = rootKey(request);
  const root = roots.get(key) ?? { folder: layOut(request, context), users: 0 };
  roots.set(key, root);
  root.users += 1;
  try {
    await removeOthers(roots, key);
    return await action(await root.folder);
  } catch (error) {
    await root.folder.catch(() => roots.delete(key));
    throw error;
  } finally {
    root.users -= 1;
  }
}

/** They are large: one that nobody is in makes room for another. */
async function removeOthers(roots: Map<Digest, BuildRoot>, key: Digest): Promise<void> {
  for (const [other, { folder, users }] of roots) {
    if (other === key || users > 0) continue;
    roots.delete(other);
    await rm(await folder, { recursive: true, force: true });
  }
}

function rootKey({ environment, requirements }: EnvironmentRequest): Digest {
  const { architecture, interpreter, debs } = environment;
  const digests = [...debs, ...requirements].map(({ digest }) => digest);
  return digestOf(canonicalJson({ architecture, interpreter: interpreter.path, digests }));
}

async function layOut(request: EnvironmentRequest, context: PipelineContext): Promise<string> {
  const { recipe, environment, requirements } = request;
  const { architecture, interpreter, debs } = environment;
  const { store, signal } = context;
  const suite = recipe.base.kind === 'debian' ? recipe.base.suite : undefined;
  const target: LockedTarget = { interpreter, indexes: [], debs, wheels: requirements, diffId: undefined };
  const prepared = await prepareArtifacts({ recipe, architecture, target, format: FORMAT_VERSION }, context);
  const keys = prepared.map(({ key }) => key);
  const generated = generatedContents();
  const inputs = openContents(store, keys);
  try {
    const { tree } = await assembleTree({
      system: { architecture, suite, interpreter },
      epoch: EPOCH,
      parts: prepared.map(({ artifact, unpacked }) => ({ artifact, unpacked, bytecode: undefined })),
      files: [],
      ownFiles: () => [],
      contents: inputs,
      sink: generated.sink,
      sharedObjects: [],
      allowMissing: recipe.allowMissing ?? [],
      packagesOf: ({ missing }) =>
        packagesOfLibraries({ recipe, architecture, libraries: missing.map(({ library }) => library) }, context),
    });
    const folder = await store.temporaryPath();
    const contents = openContents(store, [...keys, await generated.keep(store)]);
    try {
      await writeTree(tree, { folder, contents, keepOwners: true, signal });
    } finally {
      contents.close();
    }
    return folder;
  } finally {
    inputs.close();
  }
}

/** 2000-01-01: the times of a build's own files must not depend on anything. */
const EPOCH = 946_684_800;
