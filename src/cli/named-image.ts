import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Image } from '../store/image-record.ts';
import { findImage } from '../store/images.ts';
import { openRecipe } from './pipeline.ts';

/**
 * The image that `word` means: a recipe's folder or file (built when its image is not there), the tar of a root filesystem,
 * else an image of the store by name or digest. Throws E_IMAGE_NOT_FOUND.
 */
export async function namedImage(word: string, pipeline: PipelineContext): Promise<Image> {
  if (/\.tar(\.gz|\.xz|\.zst)?$/.test(word)) {
    const { loadRootfs } = await import('../load-rootfs.ts');
    return loadRootfs(word, pipeline);
  }
  if (!isRecipe(word)) return findImage(pipeline.store, word, pipeline.hostArchitecture);
  const { buildRecipe } = await import('./build-verb.ts');
  return buildRecipe(await openRecipe(word), pipeline.hostArchitecture, { pipeline });
}

/** A path with a slash or the ending of YAML; a bare name is always an image, whatever lies in the current folder. */
export function isRecipe(word: string): boolean {
  return (word.includes('/') || /\.ya?ml$/.test(basename(word))) && existsSync(word);
}
