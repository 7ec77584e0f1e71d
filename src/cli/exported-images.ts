import type { Tree } from '../assemble/tree.ts';
import { ARCHITECTURES } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Image } from '../store/image-record.ts';
import { readCurrent, readTree } from '../store/images.ts';
import { isRecipe, namedImage } from './named-image.ts';
import { openRecipe } from './pipeline.ts';

/**
 * The images that leave under `word`: of a recipe all architectures, built where they are not there; of a name the current
 * generation of each; of a digest, a generation or a tar that one alone. Warns where two hold different versions of a package.
 * Throws E_IMAGE_NOT_FOUND.
 */
export async function exportedImages(word: string, pipeline: PipelineContext): Promise<readonly Image[]> {
  const images = await chosenImages(word, pipeline);
  await warnOfMixture(images, pipeline);
  return images;
}

async function chosenImages(word: string, pipeline: PipelineContext): Promise<readonly Image[]> {
  if (isRecipe(word)) {
    const { buildRecipe } = await import('./build-verb.ts');
    const recipe = await openRecipe(word);
    const images: Image[] = [];
    for (const architecture of recipe.architectures) images.push(await buildRecipe(recipe, architecture, { pipeline }));
    return images;
  }
  const image = await namedImage(word, pipeline);
  if (word !== image.name) return [image];
  const all = await Promise.all(ARCHITECTURES.map((name) => readCurrent(pipeline.store, image.name, name)));
  return all.filter((one) => one !== undefined);
}

const MOST_NAMED = 3;

/** Generations of two architectures are counted apart, and each may be of another lockfile. */
async function warnOfMixture(images: readonly Image[], { store, progress }: PipelineContext): Promise<void> {
  const [first, second] = images;
  if (first === undefined || second === undefined) return;
  const [own, other] = [versionsIn(await readTree(store, first)), versionsIn(await readTree(store, second))];
  const differing = [...own]
    .filter(([name, version]) => sourceVersion(other.get(name) ?? version) !== sourceVersion(version))
    .map(([name, version]) => `${name} ${version} and ${other.get(name)}`)
    .toSorted(byteOrder);
  if (differing.length === 0) return;
  const more = differing.length > MOST_NAMED ? ` and ${differing.length - MOST_NAMED} more` : '';
  progress({
    kind: 'warning',
    message: `image \`${first.name}\`: ${first.architecture} and ${second.architecture} are of different versions: ${differing.slice(0, MOST_NAMED).join(', ')}${more}`,
    hint: 'build both of one lockfile: rootcellar build RECIPE',
  });
}

/** By name; what has no version is no package. */
function versionsIn(tree: Tree): ReadonlyMap<string, string> {
  const origins = new Set([...tree.values()].map(({ origin }) => origin));
  return new Map(
    [...origins].flatMap((origin): [string, string][] => {
      const [name = '', version] = origin.split(' ');
      return version === undefined ? [] : [[name, version]];
    }),
  );
}

/** Debian builds one source again for one architecture alone: `+b3`. */
function sourceVersion(version: string): string {
  return version.replace(/\+b\d+$/, '');
}
