import { ARCHITECTURES } from '../base/architecture.ts';
import { shortDigest } from '../base/digest.ts';
import { formatSize } from '../base/units.ts';
import type { Image } from '../store/image-record.ts';
import { listGenerations, listImages, madeAt, notFound } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import type { CommandContext } from './command-context.ts';
import type { ImagesFlags } from './image-commands.ts';
import { withPipeline } from './pipeline.ts';
import { tableText } from './table-text.ts';

/** `rootcellar images [NAME]`: the current generation of each name, or with `--generations` all of them. Throws E_IMAGE_NOT_FOUND. */
export async function imagesVerb(
  context: CommandContext,
  wanted: string | undefined,
  { generations = false }: ImagesFlags,
): Promise<number> {
  const listed = await withPipeline(context, async ({ store }) => {
    const currents = (await listImages(store)).filter(({ name }) => wanted === undefined || name === wanted);
    if (wanted !== undefined && currents.length === 0) throw await notFound(store, wanted);
    return generations ? allGenerations(store, currents) : currents.map((image) => ({ image, isCurrent: true }));
  });
  if (generations) tellGenerations(context, listed);
  else tellImages(context, listed);
  return 0;
}

interface Listed {
  readonly image: Image;
  readonly isCurrent: boolean;
  /** RFC 3339. */
  readonly made?: string;
}

/** Of each of these images, the newest first. */
async function allGenerations(store: Store, currents: readonly Image[]): Promise<readonly Listed[]> {
  const names = [...new Set(currents.map(({ name }) => name))];
  const pairs = names.flatMap((name) => ARCHITECTURES.map((architecture) => ({ name, architecture })));
  const all = await Promise.all(
    pairs.map(async ({ name, architecture }) => {
      const current = currents.find((image) => image.name === name && image.architecture === architecture);
      const images = (await listGenerations(store, name, architecture)).toReversed();
      return Promise.all(
        images.map(async (image) => {
          const isCurrent = image.generation === current?.generation;
          return { image, isCurrent, made: await madeAt(store, image) };
        }),
      );
    }),
  );
  return all.flat();
}

function tellImages({ reporter }: CommandContext, listed: readonly Listed[]): void {
  const rows = listed.map(({ image: { name, architecture, diffId, size, generation } }) => {
    return [name, architecture, shortDigest(diffId), formatSize(size), `${generation}`];
  });
  reporter.result(tableText(['NAME', 'ARCH', 'DIGEST', 'SIZE', 'GENERATION'], rows), {
    images: listed.map(({ image }) => imageJson(image)),
  });
}

function tellGenerations({ reporter }: CommandContext, listed: readonly Listed[]): void {
  const rows = listed.map(({ image: { name, architecture, diffId, size, generation }, isCurrent, made = '' }) => {
    return [
      name,
      architecture,
      `${generation}`,
      isCurrent ? 'current' : '',
      shortDigest(diffId),
      formatSize(size),
      made,
    ];
  });
  reporter.result(tableText(['NAME', 'ARCH', 'GENERATION', '', 'DIGEST', 'SIZE', 'MADE'], rows), {
    generations: listed.map(({ image, isCurrent, made = '' }) => ({ ...imageJson(image), current: isCurrent, made })),
  });
}

function imageJson({ name, architecture, diffId, size, generation }: Image) {
  return { name, architecture, diff_id: diffId, size, generation };
}
