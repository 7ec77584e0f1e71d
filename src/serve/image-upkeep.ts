import { RootcellarError } from '../base/rootcellar-error.ts';
import { keepRefreshing, type Attempt, type CycleOutcome, type CycleReason } from '../refresh/keep-refreshing.ts';
import type { ScheduleClock } from '../refresh/schedule-clock.ts';
import type { RefreshSchedule } from '../recipe/recipe.ts';
import type { ImageSource } from './image-source.ts';
import type { ServiceWatch } from './service-watch.ts';

/** What an image that is made from something follows. */
export interface Upkeep {
  /** Name of the image. */
  readonly name: string;
  /** Read before each wait; undefined: only edits are followed. */
  readonly schedule: () => RefreshSchedule | undefined;
  readonly lastAttempt: () => Promise<Attempt | undefined>;
  /** Whether the files that it is made from have changed and come to rest; told once. */
  readonly areEdited: () => Promise<boolean>;
}

export interface Upkeeping {
  readonly upkeep: Upkeep;
  readonly images: Pick<ImageSource, 'refresh'>;
  readonly watch: Pick<ServiceWatch, 'refreshPlanned' | 'noticed'>;
  readonly clock: ScheduleClock;
  readonly signal: AbortSignal;
}

/** Between two looks at the clock and at the files. */
const WAKE_MS = 1000;

/** Refreshes the image by its schedule and after edits until the signal comes. What fails is told by `images`. */
export function keepImage({ upkeep, images, watch, clock, signal }: Upkeeping): Promise<void> {
  return keepRefreshing({
    schedule: async () => upkeep.schedule(),
    lastAttempt: async () => {
      try {
        return await upkeep.lastAttempt();
      } catch (error) {
        // Runs go on, and so does the schedule, by what this process knows itself.
        watch.noticed({ level: 'error', message: error instanceof Error ? error.message : String(error) });
        return undefined;
      }
    },
    refresh: (reason) => refreshed(images, reason),
    areEdited: upkeep.areEdited,
    planned: (dueAt) => watch.refreshPlanned({ image: upkeep.name, dueAt }),
    clock,
    wakeMs: WAKE_MS,
    signal,
  });
}

/** An edit is taken as it is, and leaves what else is locked. */
async function refreshed(images: Upkeeping['images'], reason: CycleReason): Promise<CycleOutcome> {
  try {
    await images.refresh(reason === 'edited' ? 'none' : 'all');
    return { isFailure: false };
  } catch (error) {
    const isKept = error instanceof RootcellarError && error.code === 'E_REFRESH_KEPT';
    // The message names what failed and what it was of: the same message is the same failure.
    return { isFailure: true, changes: isKept ? error.message : undefined };
  }
}
