import type { RefreshSchedule } from '../recipe/recipe.ts';
import { nextRefresh } from './next-refresh.ts';
import type { ScheduleClock } from './schedule-clock.ts';

/** The last refresh that ended, whoever has done it. */
export interface Attempt {
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  /** How many have failed in a row, this one included; 0: it has not failed. */
  readonly failures: number;
}

/** How one cycle ended. `changes`: what was not taken; another set of changes is no repetition of a failure. */
export type CycleOutcome =
  | { readonly isFailure: false }
  | { readonly isFailure: true; readonly changes?: string | undefined };

/** `edited`: a file that the image is made from has changed. */
export type CycleReason = 'due' | 'edited';

export interface Keeping {
  /** Read anew before each wait; undefined: only edits are followed. Must not throw for what a user can mend. */
  readonly schedule: () => Promise<RefreshSchedule | undefined>;
  /** As it was recorded, by this process or another; undefined: never. */
  readonly lastAttempt: () => Promise<Attempt | undefined>;
  /** Must not throw for what can go wrong with a refresh. */
  readonly refresh: (reason: CycleReason) => Promise<CycleOutcome>;
  /** Asked at each wakeup. */
  readonly areEdited: () => Promise<boolean>;
  /** Told when the next refresh is due, in milliseconds since 1970. */
  readonly planned: (due: number | undefined) => void;
  readonly clock: ScheduleClock;
  /** Between two wakeups: what the clock does meanwhile, and edits, are noticed then. */
  readonly wakeMs: number;
  readonly signal: AbortSignal;
}

/** Refreshes by the schedule and after edits, one after the other, until the signal comes. */
export async function keepRefreshing(keeping: Keeping): Promise<void> {
  const { signal, clock } = keeping;
  let own: KnownAttempt | undefined;
  while (!signal.aborted) {
    const last = newest(own, await keeping.lastAttempt());
    const reason = await wait(keeping, await planNext(keeping, last, own?.isEditLeft === true));
    if (reason === undefined || signal.aborted) continue;
    const since = newest(own, await keeping.lastAttempt());
    // Somebody else was quicker: what has been done need not be done again.
    if (reason === 'due' && (since?.endedAt ?? 0) > (last?.endedAt ?? 0)) continue;
    const outcome = await keeping.refresh(reason);
    const isRetry = own?.isEditLeft === true;
    const before =
      reason === 'edited' && !isRetry ? undefined : { failures: since?.failures ?? 0, changes: own?.changes };
    const isEditLeft = reason === 'edited' && outcome.isFailure && outcome.changes === undefined;
    own = { endedAt: clock.now(), ...counted(outcome, before), isEditLeft };
  }
}

interface KnownAttempt extends Attempt {
  readonly changes: string | undefined;
  /** Whether an edit could not be looked at, for a reason that may pass. */
  readonly isEditLeft: boolean;
}

type Count = Pick<KnownAttempt, 'failures' | 'changes'>;

/** How soon an edit is tried again that could not be looked at, with backoff, whatever the schedule is. */
const EDIT_AGAIN: RefreshSchedule = { kind: 'every', everyMs: 30_000, jitterMs: 0 };

function newest(own: Attempt | undefined, recorded: Attempt | undefined): Attempt | undefined {
  if (own === undefined || recorded === undefined) return own ?? recorded;
  // What this process knows has counted failures by what was not taken, which no record does.
  return recorded.endedAt > own.endedAt + SAME_MS ? recorded : own;
}

/** A record of this process's own refresh may be so much younger than what it remembers. */
const SAME_MS = 2000;

function counted(outcome: CycleOutcome, before: Count | undefined): Count {
  if (!outcome.isFailure) return { failures: 0, changes: undefined };
  const { changes } = outcome;
  const isOther = changes !== undefined && before?.changes !== undefined && before.changes !== changes;
  return { failures: before === undefined || isOther ? 1 : before.failures + 1, changes: changes ?? before?.changes };
}

interface Plan {
  readonly reason: CycleReason;
  readonly due: number | undefined;
  readonly kind: RefreshSchedule['kind'] | undefined;
  /** By both clocks, when the plan was made. */
  readonly now: number;
  readonly elapsed: number;
}

async function planNext(keeping: Keeping, last: Attempt | undefined, isEditLeft: boolean): Promise<Plan> {
  const { clock } = keeping;
  const schedule = await keeping.schedule();
  const [now, elapsed] = [clock.now(), clock.elapsed()];
  const moment = { now, last: last?.endedAt, failures: last?.failures ?? 0, random: clock.random() };
  const due = schedule === undefined ? undefined : nextRefresh(schedule, moment);
  const again = isEditLeft ? nextRefresh(EDIT_AGAIN, moment) : undefined;
  const isAgain = again !== undefined && again < (due ?? Infinity);
  const plan: Omit<Plan, 'now' | 'elapsed'> = isAgain
    ? { due: again, kind: EDIT_AGAIN.kind, reason: 'edited' }
    : { due, kind: schedule?.kind, reason: 'due' };
  keeping.planned(plan.due);
  return { ...plan, now, elapsed };
}

/** Undefined: it has to be planned anew, or is over. */
async function wait(keeping: Keeping, plan: Plan): Promise<CycleReason | undefined> {
  const { clock, signal, wakeMs } = keeping;
  while (!signal.aborted) {
    if (await keeping.areEdited()) return 'edited';
    const left = timeLeft(plan, clock);
    if (left === 'moved') return undefined;
    if (left <= 0) return plan.reason;
    await clock.sleep(Math.max(1, Math.min(wakeMs, left)), signal);
  }
  return undefined;
}

/** A clock that was set back by less changes nothing that anybody would notice. */
const MOVED_MS = 30_000;

/**
 * A machine that slept, or whose clock was set forwards, is late by the wall clock. Where it was set back, an interval goes on by
 * the clock that cannot be set; times of day are looked up anew.
 */
function timeLeft({ due, kind, now, elapsed }: Plan, clock: ScheduleClock): number | 'moved' {
  if (due === undefined) return Infinity;
  const passed = clock.elapsed() - elapsed;
  const byWall = due - clock.now();
  if (kind === 'every') return Math.min(byWall, due - now - passed);
  return clock.now() - now < passed - MOVED_MS ? 'moved' : byWall;
}
