import type { Architecture } from '../base/architecture.ts';
import { withIdentities } from '../built-image.ts';
import { lockfilePath, writeLockfile } from '../lock/lockfile-files.ts';
import { lockDigest } from '../lock/lockfile-text.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Image } from '../store/image-record.ts';
import { readCurrent, readTree } from '../store/images.ts';
import { putImage } from '../store/put-image.ts';
import type { ChangeReport } from './change-report.ts';
import { harmfulUpdates } from './harmful-updates.ts';
import { imageChanges } from './image-changes.ts';
import type { RefreshedLock } from './refresh-result.ts';
import { testedBefore, tryUpdate, type TriedUpdate } from './try-update.ts';

/** Something new, resolved and not yet built. */
export interface FoundUpdate {
  readonly previous: Lockfile;
  readonly lock: Lockfile;
  readonly report: ChangeReport;
  /** To build. */
  readonly architectures: readonly Architecture[];
  readonly ends: Pick<RefreshedLock, 'from' | 'to'>;
}

/** Builds and tries what is new, and makes it current and locks it where it does no worse than what serves. */
export async function takeOrKeep(recipe: Recipe, found: FoundUpdate, context: PipelineContext): Promise<RefreshedLock> {
  const { previous, lock, report, architectures, ends } = found;
  const before = testedBefore(recipe, context);
  const tried = await tryUpdate({ recipe, lock, architectures }, before, context);
  const full = await withImages(report, tried, context);
  if (tried.faults.length > 0) {
    const culprits = await harmfulUpdates({ recipe, previous, lock, report, faults: tried.faults, before }, context);
    return { kind: 'kept', report: full, faults: tried.faults, culprits, ...ends };
  }
  const images: Image[] = [];
  for (const image of tried.images) {
    images.push(await putImage(context.store, { ...image, tree: await readTree(context.store, image) }));
  }
  // Last: who is killed before finds the same changes again, and images that are current already.
  const locked = withIdentities(lock, images);
  await writeLockfile(lockfilePath(recipe), locked);
  return { kind: 'switched', report: full, images, from: ends.from, to: lockDigest(locked) };
}

/** The report, with what the new images have that those had not that serve. */
async function withImages(
  report: ChangeReport,
  { images, newCalls }: TriedUpdate,
  { store, hostArchitecture }: PipelineContext,
): Promise<ChangeReport> {
  const changes = new Map(report.architectures.map((one) => [one.architecture, one.changes]));
  const architectures = [];
  for (const after of images) {
    const { name, architecture } = after;
    const before = await readCurrent(store, name, architecture);
    const calls = architecture === hostArchitecture ? newCalls : [];
    const image = before === undefined ? undefined : await imageChanges(store, { before, after, calls });
    architectures.push({ architecture, changes: changes.get(architecture) ?? [], image });
  }
  return images.length === 0 ? report : { ...report, architectures };
}
