import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { OfferedImage } from '../publish/offered-image.ts';
import type { Image } from '../store/image-record.ts';
import { IMAGE_NAME } from '../store/images.ts';
import { takeImage, type Taken } from '../take-image.ts';
import type { CommandContext } from './command-context.ts';
import type { TakeFlags } from './registry-commands.ts';

/** What `--arch` names, each once; without it, this machine's. Throws E_USAGE. */
export function takenArchitectures(
  { arch }: TakeFlags,
  { hostArchitecture }: Pick<CommandContext, 'hostArchitecture'>,
): readonly Architecture[] {
  const names = arch ?? [hostArchitecture];
  const known = names.map((name) => {
    const architecture = parseArchitecture(name);
    if (architecture !== undefined) return architecture;
    throw new RootcellarError('E_USAGE', `--arch \`${name}\`: is not known`, { hint: 'use amd64 or arm64' });
  });
  return [...new Set(known)];
}

/** `--name`, or what is made of `usual`. Throws E_USAGE. */
export function takenName({ name }: TakeFlags, usual: string): string {
  if (name !== undefined && !IMAGE_NAME.test(name)) {
    throw new RootcellarError('E_USAGE', `--name \`${name}\`: is no name of an image`, { hint: '--name python' });
  }
  if (name !== undefined) return name;
  const plain = usual
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 128);
  if (IMAGE_NAME.test(plain)) return plain;
  throw new RootcellarError('E_USAGE', 'the image: there is no name for it', { hint: '--name python' });
}

export async function takeAll(
  offered: readonly OfferedImage[],
  { name, trustPolicy = false }: { readonly name: string; readonly trustPolicy?: boolean | undefined },
  pipeline: PipelineContext,
): Promise<readonly Taken[]> {
  const taken: Taken[] = [];
  for (const image of offered) taken.push(await takeImage(image, { name, trustsPolicy: trustPolicy }, pipeline));
  return taken;
}

export function tellTaken({ reporter }: CommandContext, taken: readonly Taken[]): void {
  for (const { image, isKnown } of taken) {
    const { name, architecture, diffId, size, generation } = image;
    reporter.result(`${imageText(image)}${isKnown ? ', was there' : ''}\n`, {
      name,
      architecture,
      diff_id: diffId,
      size,
      generation,
      known: isKnown,
    });
  }
}

function imageText({ name, architecture, diffId, size, generation }: Image): string {
  return `${name} ${architecture} ${diffId} ${formatSize(size)}, generation ${generation}`;
}
