import { mkdir } from 'node:fs/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { parseReference, referenceText } from '../publish/image-reference.ts';
import { withOciImages } from '../publish/oci-images.ts';
import { writeOciLayout } from '../publish/oci-layout.ts';
import { openPushedBlobs } from '../publish/pushed-blobs.ts';
import { onDisk } from '../store/store-error.ts';
import type { CommandContext } from './command-context.ts';
import { exportedImages } from './exported-images.ts';
import { withImages } from './pipeline.ts';
import type { PushFlags } from './registry-commands.ts';
import { withRegistry } from './registry-connection.ts';

export interface PushWords {
  readonly image: string;
  readonly reference: string;
  readonly flags: PushFlags;
}

/** `rootcellar push IMAGE REFERENCE`: all architectures of the image, under one index. */
export async function pushVerb(
  context: CommandContext,
  { image: word, reference: text, flags }: PushWords,
): Promise<number> {
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new RootcellarError('E_USAGE', `\`${text}\`: what is pushed has the digest that it has`, {
      hint: `${text.split('@')[0]}:TAG`,
    });
  }
  const { plainHttp, compression = 'gzip' } = flags;
  if (compression !== 'gzip' && compression !== 'none') {
    throw new RootcellarError('E_USAGE', `--compression \`${compression}\`: is not known`, {
      hint: 'use gzip or none',
    });
  }
  const { images, pushed } = await withImages(context, (pipeline) =>
    withRegistry({ reference, plainHttp }, pipeline, async (registry) => {
      const { store } = pipeline;
      const { pushImages } = await import('../publish/push-images.ts');
      const chosen = await exportedImages(word, pipeline);
      const folder = await store.temporaryPath();
      return onDisk(store.home, async () => {
        await mkdir(folder);
        const written = await withOciImages(store, chosen, (parts) =>
          writeOciLayout({ ...pipeline, images: parts, folder, reference: chosen[0]?.name ?? '', compression }),
        );
        const remembered = await openPushedBlobs(store, reference.registry);
        return { images: chosen, pushed: await pushImages({ registry, folder, images: written, pushed: remembered }) };
      });
    }),
  );
  const { digest, there, mounted, sent, bytes } = pushed;
  const name = referenceText({ ...reference, digest });
  const lines = images.map(
    ({ architecture, diffId, generation }) => `${architecture}: ${diffId}, generation ${generation}\n`,
  );
  const blobs = `${sent} blobs sent (${formatSize(bytes)}), ${mounted} mounted, ${there} were there\n`;
  context.reporter.result(`${name}\n${lines.join('')}${blobs}`, {
    reference: name,
    digest,
    images: images.map(({ architecture, diffId, generation }) => ({ architecture, diff_id: diffId, generation })),
    blobs: { sent, mounted, there, bytes },
  });
  return 0;
}
