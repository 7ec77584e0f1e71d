import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import { scheduleClock } from '../refresh/schedule-clock.ts';
import type { CommandContext } from './command-context.ts';
import { exitStatusOf } from './error-text.ts';
import type { RefreshFlags } from './image-commands.ts';
import { refreshVerb } from './refresh-verb.ts';
import { chooseSchedule, type ScheduleFlags } from './schedule-flags.ts';

/** `rootcellar refresh RECIPE…`: each now, or again and again. The status is the worst of them. */
export async function refreshRecipes(
  context: CommandContext,
  paths: readonly string[],
  flags: RefreshFlags & ScheduleFlags,
): Promise<number> {
  const choice = chooseSchedule(flags);
  if (flags.report !== undefined && paths.length > 1) {
    throw new RootcellarError('E_USAGE', '--report: is one file, for one recipe', { hint: 'name one recipe' });
  }
  if (choice.kind === 'once') {
    const { random, sleep } = scheduleClock();
    await sleep(Math.floor(random() * choice.jitterMs), context.signal);
    context.signal.throwIfAborted();
    return refreshEach(context, paths, flags);
  }
  refuseNeedless(flags);
  const { keepRecipesFresh } = await import('./keep-recipes-fresh.ts');
  return keepRecipesFresh(context, { paths, choice, flags });
}

function refuseNeedless({ check, report, upgradePackage }: RefreshFlags): void {
  const [needless] = Object.entries({
    '--check': check === true,
    '--report': report !== undefined,
    '--upgrade-package': upgradePackage !== undefined,
  }).find(([, isGiven]) => isGiven) ?? [undefined];
  if (needless === undefined) return;
  throw new RootcellarError('E_USAGE', `${needless}: is for one refresh, and not for a schedule`, {
    hint: `leave out ${needless}, or the schedule`,
  });
}

/** One that fails keeps no other from being refreshed. Throws what failed, together. */
async function refreshEach(context: CommandContext, paths: readonly string[], flags: RefreshFlags): Promise<number> {
  const errors: RootcellarError[] = [];
  let worst = 0;
  for (const path of paths) {
    try {
      worst = Math.max(worst, await refreshVerb(context, path, flags));
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof RootcellarError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length === 0) return worst;
  const [first] = errors;
  if (first !== undefined && errors.length === 1) throw first;
  const sorted = errors.toSorted((a, b) => exitStatusOf(b) - exitStatusOf(a));
  throw RootcellarError.ofProblems(sorted.flatMap(({ problems }): readonly Problem[] => problems));
}
