import { RootcellarError } from '../base/rootcellar-error.ts';
import { verifyImage } from '../store/verify-image.ts';
import type { CommandContext } from './command-context.ts';
import type { VerifyFlags } from './command-line.ts';
import { namedImage } from './named-image.ts';
import { withImages } from './pipeline.ts';

/** `rootcellar verify`. Throws E_VERIFY_FAILED with one problem for each thing that is wrong. */
export async function verifyVerb(
  context: CommandContext,
  word: string | undefined,
  { store = false, repair = false }: VerifyFlags,
): Promise<number> {
  if (store === (word !== undefined) || (repair && !store)) throw wrongWords();
  if (word !== undefined) return verifyOne(context, word);
  const { verifyStoreVerb } = await import('./verify-store-verb.ts');
  return verifyStoreVerb(context, { repair });
}

function wrongWords(): RootcellarError {
  return new RootcellarError('E_USAGE', 'verify: takes an image, or --store, which may be repaired', {
    hint: 'rootcellar verify IMAGE, or rootcellar verify --store --repair',
  });
}

async function verifyOne(context: CommandContext, word: string): Promise<number> {
  const { image, faults } = await withImages(context, async (pipeline) => {
    const found = await namedImage(word, pipeline);
    return { image: found, faults: await verifyImage(pipeline.store, found) };
  });
  if (faults.length > 0) {
    throw RootcellarError.ofProblems(
      faults.map((message) => ({
        code: 'E_VERIFY_FAILED' as const,
        message,
        hint: 'rootcellar build RECIPE makes what is damaged anew, once its files are removed',
      })),
    );
  }
  context.reporter.result(`${image.name} ${image.diffId}: every byte is as promised\n`, {
    name: image.name,
    diff_id: image.diffId,
  });
  return 0;
}
