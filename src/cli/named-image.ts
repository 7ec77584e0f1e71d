import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { ARCHITECTURES, type Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Image } from '../store/image-record.ts';
import { findImage } from '../store/images.ts';
import { openRecipe } from './pipeline.ts';

/**
 * The image that `word` means: a recipe's folder or file (built when its image is not there), the tar of a root filesystem,
 * else an image of the store by name or digest. Where there is none for this machine's architecture, it is one for another.
 * Throws E_IMAGE_NOT_FOUND.
 */
export async function namedImage(word: string, pipeline: PipelineContext): Promise<Image> {
  if (isTar(word)) {
    const { loadRootfs } = await import('../load-rootfs.ts');
    return loadRootfs(word, pipeline);
  }
  if (!isRecipe(word)) return storedImage(word, pipeline);
  const { buildRecipe } = await import('./build-verb.ts');
  const recipe = await openRecipe(word);
  return buildRecipe(recipe, architectureOf(recipe, pipeline), { pipeline });
}

/** This machine's, or the first that the recipe is for. */
export function architectureOf({ architectures }: Recipe, { hostArchitecture }: PipelineContext): Architecture {
  return architectures.includes(hostArchitecture) ? hostArchitecture : (architectures[0] ?? hostArchitecture);
}

async function storedImage(word: string, { store, hostArchitecture }: PipelineContext): Promise<Image> {
  try {
    return await findImage(store, word, hostArchitecture);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    for (const other of ARCHITECTURES.filter((name) => name !== hostArchitecture)) {
      const found = await findImage(store, word, other).catch((fault: unknown) => {
        if (!isNotFound(fault)) throw fault;
      });
      if (found !== undefined) return found;
    }
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof RootcellarError && error.code === 'E_IMAGE_NOT_FOUND';
}

function isTar(word: string): boolean {
  return /\.tar(\.gz|\.xz|\.zst)?$/.test(word);
}

/** A path with a slash or the ending of YAML, and no tar; a bare name is always an image, whatever lies in the current folder. */
export function isRecipe(word: string): boolean {
  return !isTar(word) && (word.includes('/') || /\.ya?ml$/.test(basename(word))) && existsSync(word);
}
