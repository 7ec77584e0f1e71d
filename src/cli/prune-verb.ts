import { parseArchitecture } from '../base/architecture.ts';
import type { Json } from '../base/canonical-json.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import type { Image } from '../store/image-record.ts';
import { IMAGE_NAME } from '../store/images.ts';
import { pruneStore, removeImage, type PruneReport, type SparedGeneration } from '../store/prune-store.ts';
import type { StoreFolder } from '../store/store.ts';
import type { CommandContext } from './command-context.ts';
import type { PruneFlags, RemoveFlags } from './image-commands.ts';
import { withPipeline } from './pipeline.ts';

/** Generations that stay of each name and architecture where nobody says another number. */
const KEEP = 5;

/** `rootcellar prune [NAME…]`: removes older generations, and all that no generation needs. */
export async function pruneVerb(context: CommandContext, names: readonly string[], flags: PruneFlags): Promise<number> {
  const keep = keepFrom(flags.keep);
  for (const name of names) checkName('prune', name);
  const isDryRun = flags.dryRun === true;
  const wanted = names.length === 0 ? undefined : names;
  const report = await withPipeline(context, ({ store, signal }) =>
    pruneStore(store, { keep, names: wanted, isDryRun, nowMs: Date.now(), signal }),
  );
  tell(context, report, isDryRun);
  return 0;
}

/** `rootcellar remove NAME`: the name itself, with all of its generations; `NAME@ARCH`: of one architecture. */
export async function removeVerb(context: CommandContext, word: string, flags: RemoveFlags): Promise<number> {
  const [name = '', ...rest] = word.split('@');
  const architecture = parseArchitecture(rest[0] ?? '');
  if (rest.length > 1 || (rest.length === 1 && architecture === undefined)) throw notAName('remove', word);
  checkName('remove', name);
  const isDryRun = flags.dryRun === true;
  const report = await withPipeline(context, ({ store, signal }) =>
    removeImage(store, { name, architecture, isDryRun, nowMs: Date.now(), signal }),
  );
  tell(context, report, isDryRun);
  return 0;
}

function keepFrom(text: string | undefined): number {
  if (text === undefined) return KEEP;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new RootcellarError('E_USAGE', `--keep \`${text}\`: is not a number of generations from 1 on`, {
    hint: 'rootcellar prune --keep 2, or rootcellar remove NAME for all of a name',
  });
}

function checkName(verb: string, word: string): void {
  if (!IMAGE_NAME.test(word)) throw notAName(verb, word);
}

function notAName(verb: string, word: string): RootcellarError {
  return new RootcellarError('E_USAGE', `${verb} \`${word}\`: is not the name of an image`, {
    hint: 'rootcellar images --generations',
  });
}

/** What people call the things of each folder, one and many; what is not named is bookkeeping. */
const NOUNS: Readonly<Partial<Record<StoreFolder, readonly [string, string]>>> = {
  rootfs: ['laid-out root', 'laid-out roots'],
  images: ['tree', 'trees'],
  unpacked: ['unpacked artifact', 'unpacked artifacts'],
  artifacts: ['download', 'downloads'],
  partial: ['broken-off download', 'broken-off downloads'],
};

function tell({ reporter }: CommandContext, { removed, spared, swept }: PruneReport, isDryRun: boolean): void {
  const gone = removed.map((image) => `${titleOf(image)}: ${isDryRun ? 'would be removed' : 'removed'}\n`);
  const stayed = spared.map(({ image, reason }) => `${titleOf(image)}: stays, ${REASONS[reason]}\n`);
  const parts = Object.entries(NOUNS).flatMap(([folder, [one, many]]) => {
    const count = Object.entries(swept.counts).find(([name]) => name === folder)?.[1] ?? 0;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  const size = formatSize(swept.bytes);
  const what = parts.length === 0 ? '' : ` (${parts.join(', ')})`;
  const sum = isDryRun ? `${size} would be freed${what}\n` : `${size} freed${what}\n`;
  reporter.result(gone.join('') + stayed.join('') + sum, {
    removed: removed.map(imageJson),
    spared: spared.map(({ image, reason }) => Object.assign(imageJson(image), { reason })),
    swept: { ...swept.counts },
    bytes: swept.bytes,
    dry_run: isDryRun,
  });
}

const REASONS: Readonly<Record<SparedGeneration['reason'], string>> = {
  'in-use': 'it is in use',
  recent: 'it was current less than a minute ago',
};

function titleOf({ name, architecture, generation }: Image): string {
  return `${name} ${architecture} generation ${generation}`;
}

function imageJson({ name, architecture, generation, diffId }: Image): Record<string, Json> {
  return { name, architecture, generation, diff_id: diffId };
}
