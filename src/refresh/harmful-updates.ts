import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import { lockDigest } from '../lock/lockfile-text.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import { planLockfile } from '../lock-recipe.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { changeReport, type ChangeReport } from './change-report.ts';
import { findCulprits } from './find-culprits.ts';
import type { TestedImage } from './image-tests.ts';
import { tryUpdate, type UpdateFault } from './try-update.ts';

export interface HarmfulUpdate {
  readonly recipe: Recipe;
  readonly previous: Lockfile;
  /** That did harm. */
  readonly lock: Lockfile;
  readonly report: ChangeReport;
  readonly faults: readonly UpdateFault[];
  readonly before: () => Promise<TestedImage | undefined>;
}

/** Each is a resolve, a build of what is in the store already, and the tests. */
const MOST_TRIALS = 16;

/** What a resolver says where some packages cannot be updated without others. */
const INSEPARABLE: ReadonlySet<ErrorCode> = new Set([
  'E_DEB_CONFLICT',
  'E_REQUIREMENT_CONFLICT',
  'E_REQUIREMENT_NO_WHEEL',
  'E_REQUIREMENT_REFUSED',
  'E_REQUIREMENT_UNKNOWN',
]);

/**
 * The packages whose update does harm, found by updating them apart. Where the recipe itself is another one, or packages only
 * came and went, nothing can be left as it was: then those in which the harm shows.
 */
export async function harmfulUpdates(
  update: HarmfulUpdate,
  context: PipelineContext,
): Promise<readonly (readonly string[])[]> {
  const { recipe, previous, lock, report, faults, before } = update;
  const changes = report.architectures.flatMap((one) => one.changes);
  const moved = new Set(
    changes.flatMap((one) => (one.before === undefined || one.after === undefined ? [] : [one.name])),
  );
  const shown = [...new Set(faults.flatMap((fault) => fault.package ?? []))];
  if (moved.size === 0 || lock.recipe.digest !== previous.recipe.digest) {
    const all = new Set(changes.map(({ name }) => name));
    return shown.filter((name) => all.has(name)).map((name) => [name]);
  }
  const architectures = [...new Set(faults.map(({ architecture }) => architecture))];
  const isHarmful = async (names: readonly string[]): Promise<boolean> => {
    const apart = await resolveApart({ recipe, previous, names }, context);
    if (apart === undefined || changeReport(previous, apart).architectures.length === 0) return false;
    if (lockDigest(apart) === lockDigest(lock)) return true;
    const tried = await tryUpdate({ recipe, lock: apart, architectures }, before, context);
    return tried.faults.length > 0;
  };
  return findCulprits({ names: [...moved], suspects: shown, isHarmful, mostTrials: MOST_TRIALS });
}

interface Apart {
  readonly recipe: Recipe;
  readonly previous: Lockfile;
  readonly names: readonly string[];
}

/** Undefined where these cannot be updated without others. */
async function resolveApart(
  { recipe, previous, names }: Apart,
  context: PipelineContext,
): Promise<Lockfile | undefined> {
  try {
    return await planLockfile({ recipe, previous, upgrade: names }, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RootcellarError && INSEPARABLE.has(error.code)) return undefined;
    throw error;
  }
}
