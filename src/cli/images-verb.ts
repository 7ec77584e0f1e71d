import { shortDigest } from '../base/digest.ts';
import { formatSize } from '../base/units.ts';
import { listImages } from '../store/images.ts';
import type { CommandContext } from './command-context.ts';
import { withPipeline } from './pipeline.ts';
import { tableText } from './table-text.ts';

/** `rootcellar images`: the current generation of each name. */
export async function imagesVerb(context: CommandContext): Promise<number> {
  const images = await withPipeline(context, ({ store }) => listImages(store));
  const rows = images.map(({ name, architecture, diffId, size, generation }) => {
    return [name, architecture, shortDigest(diffId), formatSize(size), `${generation}`];
  });
  const text = tableText(['NAME', 'ARCH', 'DIGEST', 'SIZE', 'GENERATION'], rows);
  context.reporter.result(text, {
    images: images.map(({ name, architecture, diffId, size, generation }) => {
      return { name, architecture, diff_id: diffId, size, generation };
    }),
  });
  return 0;
}
