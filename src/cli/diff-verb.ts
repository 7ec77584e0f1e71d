import { basename } from 'node:path';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shortDigest } from '../base/digest.ts';
import { compareImages, type Compared } from '../compare-images.ts';
import { readLockfile } from '../lock/lockfile-files.ts';
import { targetKey } from '../lock/target-key.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { findByInputs } from '../store/images.ts';
import type { CommandContext } from './command-context.ts';
import type { DiffFlags } from './command-line.ts';
import { comparisonJson } from './comparison-json.ts';
import { comparisonText } from './comparison-text.ts';
import { namedImage } from './named-image.ts';
import { withImages } from './pipeline.ts';

interface DiffRequest {
  readonly before: string;
  readonly after: string;
  readonly flags: DiffFlags;
}

/** `rootcellar diff`: 0, or with `--exit-code` 1 when something differs. */
export async function diffVerb(context: CommandContext, { before, after, flags }: DiffRequest): Promise<number> {
  const { sides, comparison } = await withImages(context, async (pipeline) => {
    const old = await comparedBy(before, pipeline);
    const now = await comparedBy(after, pipeline);
    return { sides: { before: old, after: now }, comparison: await compareImages(old, now, pipeline) };
  });
  const text = comparisonText(comparison, { ...sides, all: flags.all === true });
  context.reporter.result(text, comparisonJson(comparison, sides));
  return flags.exitCode === true && !comparison.isSame ? 1 : 0;
}

async function comparedBy(word: string, pipeline: PipelineContext): Promise<Compared> {
  if (word.endsWith('.lock.json')) return await lockedBy(word, pipeline);
  const image = await namedImage(word, pipeline);
  return { kind: 'image', label: `${image.name} ${image.architecture} ${shortDigest(image.diffId)}`, image };
}

/** A lockfile stands for its image where the store has it, else for its packages. */
async function lockedBy(path: string, { store, hostArchitecture }: PipelineContext): Promise<Compared> {
  const lock = await readLockfile(path);
  if (lock === undefined) throw new RootcellarError('E_LOCK_MISSING', `\`${path}\`: there is no such file`);
  const [architecture] = lock.targets.has(hostArchitecture) ? [hostArchitecture] : lock.targets.keys();
  const target = architecture === undefined ? undefined : lock.targets.get(architecture);
  if (architecture === undefined || target === undefined) throw new Error('unreachable: a lockfile without targets');
  const image = await findByInputs(store, targetKey(lock, architecture, target));
  const label = `${lock.recipe.name} ${architecture} ${image === undefined ? basename(path) : shortDigest(image.diffId)}`;
  return image === undefined ? { kind: 'lock', label, architecture, target } : { kind: 'image', label, image };
}
