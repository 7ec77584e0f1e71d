import { parseReference } from '../publish/image-reference.ts';
import type { CommandContext } from './command-context.ts';
import { withImages } from './pipeline.ts';
import type { PullFlags } from './registry-commands.ts';
import { withRegistry } from './registry-connection.ts';
import { takeAll, takenArchitectures, takenName, tellTaken } from './taken-images.ts';

/** `rootcellar pull REFERENCE`: a generation under the last word of its name, or under `--name`. */
export async function pullVerb(context: CommandContext, text: string, flags: PullFlags): Promise<number> {
  const reference = parseReference(text);
  const architectures = takenArchitectures(flags, context);
  const name = takenName(flags, reference.repository.slice(reference.repository.lastIndexOf('/') + 1));
  const { plainHttp, trustPolicy } = flags;
  const taken = await withImages(context, (pipeline) =>
    withRegistry({ reference, plainHttp }, pipeline, async (registry) => {
      const [{ offeredImages }, { registrySource, topDocument }] = await Promise.all([
        import('../publish/offered-image.ts'),
        import('../publish/registry-source.ts'),
      ]);
      const top = await topDocument(registry);
      const offered = await offeredImages(registrySource(registry, pipeline.store), top, architectures);
      return takeAll(offered, { name, trustPolicy }, pipeline);
    }),
  );
  tellTaken(context, taken);
  return 0;
}
