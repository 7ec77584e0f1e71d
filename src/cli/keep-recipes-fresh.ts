import { setMaxListeners } from 'node:events';
import { canonicalJson } from '../base/canonical-json.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { timeText } from '../base/time-text.ts';
import { keepHeapLean } from '../lean-heap.ts';
import { locateRecipe } from '../recipe/recipe-location.ts';
import type { Recipe, RefreshSchedule } from '../recipe/recipe.ts';
import { reportJson } from '../refresh/change-report.ts';
import { keepRefreshing, type Attempt, type CycleOutcome } from '../refresh/keep-refreshing.ts';
import { lastAttempt } from '../refresh/last-attempt.ts';
import { refreshImage } from '../refresh/refresh-image.ts';
import { scheduleClock } from '../refresh/schedule-clock.ts';
import type { CommandContext, CommonFlags } from './command-context.ts';
import { cycleJson, cycleText, type CycleEnd } from './cycle-report.ts';
import type { RefreshFlags } from './image-commands.ts';
import { openRecipe, withPipeline } from './pipeline.ts';
import type { ScheduleChoice } from './schedule-flags.ts';
import { watchRecipe, type WatchedRecipe } from './watched-recipe.ts';

/** Between two looks at the clock and at the recipe's files. */
const WAKE_MS = 2000;

export interface FreshRecipes {
  readonly paths: readonly string[];
  readonly choice: Exclude<ScheduleChoice, { readonly kind: 'once' }>;
  readonly flags: RefreshFlags & CommonFlags;
}

/**
 * Refreshes each recipe by its schedule until a signal comes, one at a time. Each cycle reads the recipe anew and opens the store
 * anew, so that nothing of it stays. Throws E_RECIPE_NOT_FOUND; by the recipes' own schedules also what is wrong with them at the
 * beginning, and E_USAGE where one has none.
 */
export async function keepRecipesFresh(context: CommandContext, fresh: FreshRecipes): Promise<number> {
  // It goes on for months: garbage shall not add up to several times what is in use.
  keepHeapLean();
  for (const path of fresh.paths) await checkAtStart(path, fresh);
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<CycleEnd>): Promise<CycleEnd> => {
    const next = last.then(work);
    // Whoever asked is told.
    last = next.catch(() => undefined);
    return next;
  };
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  // Each request of a resolver listens: `command-context.ts`.
  setMaxListeners(0, signal);
  try {
    await Promise.all(fresh.paths.map((path) => keepFresh({ ...context, signal }, { ...fresh, path, inTurn })));
  } finally {
    // A bug in one of them ends the others.
    stop.abort(new RootcellarError('E_CANCELLED', 'another recipe could not go on'));
    await last;
  }
  return 0;
}

async function checkAtStart(path: string, { choice }: FreshRecipes): Promise<void> {
  if (choice.kind === 'fixed') {
    await locateRecipe(path);
    return;
  }
  const { name, refresh } = await openRecipe(path);
  if (refresh?.schedule !== undefined) return;
  throw new RootcellarError('E_USAGE', `\`${name}\`: its recipe has no schedule`, {
    hint: 'write `refresh: { every: 12h }` into it, or give --every 12h',
  });
}

interface FreshRecipe extends FreshRecipes {
  readonly path: string;
  readonly inTurn: (work: () => Promise<CycleEnd>) => Promise<CycleEnd>;
}

async function keepFresh(context: CommandContext, { path, choice, flags, inTurn }: FreshRecipe): Promise<void> {
  const watched = watchRecipe(path);
  const clock = scheduleClock();
  const tellOf = (due: number | undefined): void => {
    tell(context, { name: watched.known()?.name ?? path, ended, due, now: clock.now, flags });
    ended = undefined;
  };
  let ended: CycleEnd | undefined;
  let isFirst = true;
  await keepRefreshing({
    schedule: async () => scheduleOf(choice, await knownOf(watched)),
    lastAttempt: async () => attemptOf(context, await knownOf(watched)),
    refresh: async () => {
      ended = await inTurn(() => cycle(context, watched, flags));
      return outcomeOf(ended);
    },
    areEdited: watched.areEdited,
    planned: (due) => {
      if (isFirst || ended !== undefined) tellOf(due);
      isFirst = false;
    },
    clock,
    wakeMs: WAKE_MS,
    signal: context.signal,
  });
  if (ended !== undefined) tellOf(undefined);
}

/** Read where it has not been yet; a broken one is told of by the cycle that needs it. */
async function knownOf(watched: WatchedRecipe): Promise<Recipe | undefined> {
  if (watched.known() === undefined) await watched.read().catch(ofUser);
  return watched.known();
}

function ofUser(error: unknown): RootcellarError {
  if (error instanceof RootcellarError) return error;
  throw error;
}

function scheduleOf(choice: FreshRecipes['choice'], recipe: Recipe | undefined): RefreshSchedule | undefined {
  if (choice.kind === 'fixed') return choice.schedule;
  const own = recipe?.refresh?.schedule;
  return own === undefined || choice.jitterMs === undefined ? own : { ...own, jitterMs: choice.jitterMs };
}

async function attemptOf(context: CommandContext, recipe: Recipe | undefined): Promise<Attempt | undefined> {
  if (recipe === undefined) return undefined;
  const { name } = recipe;
  // What is wrong with the store is told by the cycle, which needs it too.
  try {
    return await withPipeline(context, ({ store }) => lastAttempt(store, name, context.hostArchitecture));
  } catch (error) {
    ofUser(error);
    return undefined;
  }
}

async function cycle(context: CommandContext, watched: WatchedRecipe, flags: FreshRecipes['flags']): Promise<CycleEnd> {
  // One line or object for each cycle, unless more is wanted.
  const progress = flags.verbose === true ? context.reporter.progress : (): void => undefined;
  try {
    const recipe = await watched.read();
    const upgrade = flags.upgradePackage ?? 'all';
    const quiet = { ...context, reporter: { ...context.reporter, progress } };
    return await withPipeline(quiet, (pipeline) => refreshImage({ recipe, upgrade, isCheck: false }, pipeline));
  } catch (error) {
    return { kind: 'failed', error: ofUser(error) };
  }
}

function outcomeOf(end: CycleEnd): CycleOutcome {
  if (end.kind === 'failed') return { isFailure: true };
  return end.kind === 'kept'
    ? { isFailure: true, changes: canonicalJson(reportJson(end.report)) }
    : { isFailure: false };
}

interface Told {
  readonly name: string;
  /** Undefined: before the first one. */
  readonly ended: CycleEnd | undefined;
  /** Milliseconds since 1970. */
  readonly due: number | undefined;
  readonly now: () => number;
  readonly flags: FreshRecipes['flags'];
}

function tell({ reporter, signal }: CommandContext, { name, ended, due, now, flags }: Told): void {
  // Stopped: that is not what became of the refresh.
  if (signal.aborted && ended?.kind === 'failed') return;
  const next = due === undefined ? undefined : timeText(Math.ceil(due / 1000));
  if (flags.json === true) {
    if (ended !== undefined) reporter.result('', { refresh: { name, ...cycleJson(ended), next: next ?? null } });
    return;
  }
  if (flags.quiet === true && (ended === undefined || ended.kind === 'current')) return;
  const time = timeText(Math.floor(now() / 1000));
  const what = ended === undefined ? 'its schedule has begun' : cycleText(ended);
  process.stderr.write(`${time} ${name}: ${what}; ${next === undefined ? 'no next one' : `next ${next}`}\n`);
}
