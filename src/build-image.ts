import { assembleTree, type MissingImageLibraries } from './assemble/assemble-tree.ts';
import type { PackagesOf } from './assemble/closure-text.ts';
import type { Tree } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import type { Digest } from './base/digest.ts';
import { checkPromise, checkSizes, findBuilt, lockedTarget } from './built-image.ts';
import { provideBuiltWheels } from './built-wheels.ts';
import { compileArtifacts, type CompiledArtifacts } from './compile-artifacts.ts';
import { generatedContents } from './generated-contents.ts';
import { imageManifest, ownFiles, type ImageIdentity } from './image-files.ts';
import { targetEpoch, type LockedTarget, type Lockfile } from './lock/lockfile.ts';
import { targetKey } from './lock/target-key.ts';
import { writeRootfs, type Rootfs } from './pack/rootfs-writer.ts';
import { packagesOfLibraries } from './missing-packages.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { prepareArtifacts } from './prepare-artifacts.ts';
import type { Recipe } from './recipe/recipe.ts';
import { openContents } from './store/contents.ts';
import { manifestJson } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { readTree } from './store/images.ts';
import { putImage } from './store/put-image.ts';
import { withStoreUse } from './store/store-use.ts';

export interface BuildRequest {
  readonly recipe: Recipe;
  /** Must match the recipe: see `checkDrift`. */
  readonly lock: Lockfile;
  readonly architecture: Architecture;
  /** Absolute path for the tar; undefined: only the store gets the image. */
  readonly output: string | undefined;
  /** To be tried out before it gets its name: see `putImage`. */
  readonly isCandidate?: boolean | undefined;
  /** Told what is missing before E_LIBRARY_MISSING is thrown. */
  readonly onMissing?: ((found: MissingInImage) => void) | undefined;
}

export interface MissingInImage extends MissingImageLibraries {
  /** The Debian packages that have what is missing, as far as they are known. */
  readonly packages: PackagesOf;
  /** Where the store has the contents, but for the files that the build itself would have made. */
  readonly unpackedKeys: readonly Digest[];
}

/**
 * Lockfile → image: download, unpack, compile, assemble, pack, put. Nothing is resolved here.
 * Throws E_NOT_REPRODUCED when the tar is not the one that the lockfile promises, and what the stages throw.
 */
export async function buildImage(request: BuildRequest, context: PipelineContext): Promise<Image> {
  const { recipe, lock, architecture } = request;
  const target = lockedTarget(lock, architecture);
  const key = targetKey(lock, architecture, target);
  const existing = await findBuilt({ recipe, lock, architecture }, context);
  if (existing !== undefined) return existingImage(existing, request, context);
  return withStoreUse(context.store, () => makeImage({ ...request, target, key }, context), context);
}

interface Making extends BuildRequest {
  readonly target: LockedTarget;
  readonly key: Digest;
}

/** What it finds and makes on the way has no name before the end: nothing may be pruned meanwhile. */
async function makeImage(request: Making, context: PipelineContext): Promise<Image> {
  const { recipe, lock, architecture, target, key } = request;
  await checkSizes(context.store, target);
  await provideBuiltWheels({ recipe, lock, architecture, target }, context);
  const prepared = await prepareArtifacts({ recipe, architecture, target, format: lock.format }, context);
  const compiled = await compileArtifacts({ recipe, lock, architecture, target, prepared }, context);
  const assembled = await assembleImage({ ...request, compiled }, context);
  context.store.expectWriting();
  const { diffId, size } = await packImage({ ...assembled, promise: target.diffId, output: request.output }, context);
  const { tree, unpackedKeys, manifest } = assembled;
  const image = { name: recipe.name, architecture, diffId, size, inputsKey: key, manifest: manifestJson(manifest) };
  return putImage(context.store, { ...image, tree, unpackedKeys }, { isCandidate: request.isCandidate });
}

async function existingImage(image: Image, { output }: BuildRequest, context: PipelineContext): Promise<Image> {
  if (output === undefined) return image;
  // A command that writes removes what killed ones left, though this one needs no temporary file itself.
  context.store.expectWriting();
  const pack = async (): Promise<unknown> => {
    const tree = await readTree(context.store, image);
    return packImage({ tree, unpackedKeys: image.unpackedKeys, promise: image.diffId, output }, context);
  };
  await withStoreUse(context.store, pack, context);
  return image;
}

interface Assembly extends ImageIdentity, Pick<BuildRequest, 'onMissing'> {
  readonly compiled: CompiledArtifacts;
}

async function assembleImage(assembly: Assembly, context: PipelineContext) {
  const { recipe, lock, architecture, target, compiled } = assembly;
  const { store, progress } = context;
  progress({ kind: 'begin', step: 'assemble', title: `assemble ${recipe.name} for ${architecture}` });
  const generated = generatedContents();
  const suite = suiteOf(recipe);
  const contents = openContents(store, compiled.keys);
  try {
    const assembled = await assembleTree({
      system: { architecture, suite, interpreter: target.interpreter },
      epoch: targetEpoch(lock, target).seconds,
      parts: compiled.parts,
      files: recipe.files,
      trim: recipe.trim,
      ownFiles: (trimmed) => ownFiles(assembly, trimmed),
      contents,
      sink: generated.sink,
      sharedObjects: recipe.sharedObjects?.[architecture] ?? [],
      allowMissing: recipe.allowMissing ?? [],
      packagesOf: async ({ tree: incomplete, missing }) => {
        const libraries = missing.map(({ library }) => library);
        const packages = await packagesOfLibraries({ recipe, architecture, libraries }, context);
        assembly.onMissing?.({ tree: incomplete, missing, packages, unpackedKeys: compiled.keys });
        return packages;
      },
    });
    const { tree, warnings } = assembled;
    progress({ kind: 'end', step: 'assemble', summary: `${tree.size} entries, no shared object missing` });
    for (const message of warnings) progress({ kind: 'warning', message });
    return {
      manifest: imageManifest(assembly, assembled.trimmed),
      tree,
      unpackedKeys: [...compiled.keys, await generated.keep(store)],
    };
  } finally {
    contents.close();
  }
}

/** Undefined for a host, which may be of any distribution. */
function suiteOf({ base }: Recipe): string | undefined {
  return base.kind === 'debian' ? base.suite : undefined;
}

interface Packing {
  readonly tree: Tree;
  readonly unpackedKeys: readonly Digest[];
  /** The identity that the tar must have, where it is known. */
  readonly promise: Digest | undefined;
  readonly output: string | undefined;
}

async function packImage({ tree, unpackedKeys, promise, output }: Packing, context: PipelineContext): Promise<Rootfs> {
  const { store, signal, progress } = context;
  const contents = openContents(store, unpackedKeys);
  const check = (diffId: Digest): void => checkPromise(diffId, promise);
  try {
    return await writeRootfs({ tree, contents, output, check, signal, progress });
  } finally {
    contents.close();
  }
}
