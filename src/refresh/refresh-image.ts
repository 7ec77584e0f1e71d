import type { Architecture } from '../base/architecture.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { wasBuilt } from '../built-image.ts';
import { knownLockfile } from '../known-lockfile.ts';
import { lockfilePath } from '../lock/lockfile-files.ts';
import { lockDigest } from '../lock/lockfile-text.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import { planLockfile } from '../lock-recipe.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Upgrade } from '../resolve/resolver-settings.ts';
import { withLock } from '../store/kernel-lock.ts';
import { withStoreUse } from '../store/store-use.ts';
import { changeReport, type ChangeReport } from './change-report.ts';
import { recordRefresh } from './record-refresh.ts';
import type { RefreshedLock, RefreshResult } from './refresh-result.ts';

export interface RefreshRequest {
  readonly recipe: Recipe;
  /** Which packages may leave their locked version. */
  readonly upgrade: Upgrade;
  /** Only say what is new. */
  readonly isCheck: boolean;
}

/**
 * Resolves a recipe again, builds what is new beside what is current, tries it in cells with the image's own policy, and
 * switches only when it does no worse than before. Whatever happens, the old or the new generation is current; what
 * happened is in the history. Throws E_LOCK_MISSING, and what resolving, downloading and the sandbox throw.
 */
export async function refreshImage(request: RefreshRequest, context: PipelineContext): Promise<RefreshResult> {
  const { name } = request.recipe;
  // Whoever comes second finds what the first has done.
  return withLock(context.store, { lock: `refresh-${name}`, signal: context.signal }, () =>
    request.isCheck
      ? refreshAlone(request, context)
      : recordRefresh(name, context, async (watched) => {
          const result = await refreshAlone(request, watched);
          if (result.kind === 'switched') await removeOlder(request.recipe, watched);
          return result;
        }),
  );
}

/** Only as many generations stay as the recipe says, if it says anything of refreshes. That others use the store is no fault of this one. */
async function removeOlder(
  { name, refresh }: Recipe,
  { store, signal, progress, now }: PipelineContext,
): Promise<void> {
  if (refresh === undefined) return;
  const { pruneStore } = await import('../store/prune-store.ts');
  try {
    const { removed } = await pruneStore(store, { keep: refresh.keep, names: [name], nowMs: now * 1000, signal });
    if (removed.length > 0)
      progress({ kind: 'end', step: 'store', summary: `${removed.length} older generations removed` });
  } catch (error) {
    if (!(error instanceof RootcellarError) || error.code === 'E_CANCELLED') throw error;
    progress({ kind: 'warning', message: `older generations stay: ${error.message}`, hint: 'rootcellar prune' });
  }
}

async function refreshAlone(request: RefreshRequest, context: PipelineContext): Promise<RefreshedLock> {
  const { recipe, upgrade, isCheck } = request;
  const path = lockfilePath(recipe);
  const { lock: previous } = await knownLockfile(recipe, context.store);
  if (previous === undefined) {
    throw new RootcellarError('E_LOCK_MISSING', `\`${path}\`: there is no lockfile that could be refreshed`, {
      hint: 'rootcellar build RECIPE',
    });
  }
  const lock = await planLockfile({ recipe, upgrade, previous }, context);
  const ends = { from: lockDigest(previous), to: lockDigest(lock) };
  const report = changeReport(previous, lock);
  const architectures = await unbuilt(lock, { previous, report }, context);
  if (architectures.length === 0) return { kind: 'current', report, ...ends };
  if (isCheck) return { kind: 'available', report, ...ends };
  const found = { previous, lock, report, architectures, ends };
  // Loaded only now: most refreshes find nothing new.
  const { takeOrKeep } = await import('./take-or-keep.ts');
  // What is built has no name before it is tried: nobody may take it for garbage meanwhile.
  return withStoreUse(context.store, () => takeOrKeep(recipe, found, context), { signal: context.signal });
}

interface Known {
  readonly previous: Lockfile;
  readonly report: ChangeReport;
}

/**
 * Architectures with other packages or another recipe, and those whose image nobody has built here: the lockfile came from
 * elsewhere. One that was built and rolled back stays so until there is something new.
 */
async function unbuilt(
  lock: Lockfile,
  { previous, report }: Known,
  { store }: PipelineContext,
): Promise<readonly Architecture[]> {
  const changed = new Set(report.architectures.map(({ architecture }) => architecture));
  const isOther = lock.recipe.digest !== previous.recipe.digest;
  const missing: Architecture[] = [];
  for (const architecture of lock.targets.keys()) {
    const isNew = isOther || changed.has(architecture);
    if (isNew || !(await wasBuilt(store, lock, architecture))) missing.push(architecture);
  }
  return missing;
}
