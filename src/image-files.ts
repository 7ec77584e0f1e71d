import type { Trimmed } from './assemble/trim-image.ts';
import type { Architecture } from './base/architecture.ts';
import { readableJson } from './base/canonical-json.ts';
import type { Digest } from './base/digest.ts';
import { targetEpoch, type LockedTarget, type Lockfile } from './lock/lockfile.ts';
import { formatSbom } from './pack/sbom.ts';
import type { Recipe, RecipeFile } from './recipe/recipe.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { networkPolicy } from './run/network-policy.ts';
import type { ImageManifest } from './store/image-manifest.ts';
import { manifestJson } from './store/image-manifest.ts';

export interface ImageIdentity {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architecture: Architecture;
  readonly target: LockedTarget;
  /** The target's key. */
  readonly key: Digest;
}

/** What the build says of an image, in the image and in the store. */
export function imageManifest(identity: ImageIdentity, trimmed: Trimmed | undefined): ImageManifest {
  const { recipe, lock, architecture, target, key } = identity;
  const { program } = compileFilter(networkPolicy(recipe.sandbox, architecture), architecture);
  return {
    name: recipe.name,
    architecture,
    format: lock.format,
    key,
    epoch: targetEpoch(lock, target).seconds,
    interpreter: target.interpreter,
    ...(trimmed === undefined ? {} : { trimmed: trimmed.rules }),
    sandbox: recipe.sandbox,
    filter: Buffer.from(program).toString('base64'),
  };
}

/** The files below `/.rootcellar`: with them an image can be understood, and run, without this program. */
export function ownFiles(identity: ImageIdentity, trimmed: Trimmed | undefined): readonly RecipeFile[] {
  const { recipe, lock, architecture, target, key } = identity;
  const { filter, ...told } = imageManifest(identity, trimmed);
  const artifacts = [...target.debs, ...target.wheels];
  const { seconds: epoch } = targetEpoch(lock, target);
  const sbom = formatSbom({ name: recipe.name, key, epoch, artifacts, trimmed: trimmed?.packages });
  return [
    ownFile('manifest.json', readableJson(manifestJson(told), 2)),
    ownFile('sbom.cdx.json', sbom),
    ownFile(`filters/${architecture}.bpf`, Buffer.from(filter, 'base64')),
  ];
}

function ownFile(name: string, content: string | Uint8Array): RecipeFile {
  return { path: `.rootcellar/${name}`, mode: 0o444, content: Buffer.from(content) };
}
