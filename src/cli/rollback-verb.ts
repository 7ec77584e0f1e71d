import { parseArchitecture } from '../base/architecture.ts';
import { shortDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { IMAGE_NAME } from '../store/images.ts';
import { switchGeneration } from '../store/switch-generation.ts';
import type { CommandContext } from './command-context.ts';
import type { RollbackFlags } from './image-commands.ts';
import { withPipeline } from './pipeline.ts';

/** `rootcellar rollback NAME`: another generation of it becomes current, for this machine's architecture or `NAME@ARCH`. */
export async function rollbackVerb(context: CommandContext, reference: string, flags: RollbackFlags): Promise<number> {
  const [name = '', word] = reference.split('@');
  const architecture = word === undefined ? context.hostArchitecture : parseArchitecture(word);
  if (architecture === undefined || !IMAGE_NAME.test(name)) {
    throw new RootcellarError('E_USAGE', `rollback \`${reference}\`: is not the name of an image`, {
      hint: 'rootcellar rollback python, rootcellar rollback python@arm64 --to 3',
    });
  }
  const to = generationFrom(flags.to);
  const switched = await withPipeline(context, ({ store }) => switchGeneration(store, { name, architecture, to }));
  const { generation, diffId } = switched.to;
  const from = switched.from.generation;
  const was = from === generation ? 'is current already' : `is current, was ${from}`;
  context.reporter.result(`${name} ${architecture}: generation ${generation} ${was} (${shortDigest(diffId)})\n`, {
    rollback: { name, architecture, from, to: generation, diff_id: diffId },
  });
  return 0;
}

function generationFrom(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new RootcellarError('E_USAGE', `--to \`${text}\`: is not the number of a generation`, {
    hint: 'rootcellar images --generations',
  });
}
