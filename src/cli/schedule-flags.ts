import { RootcellarError } from '../base/rootcellar-error.ts';
import { DURATION_UNITS, formatDuration, parseDuration } from '../base/units.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { RefreshSchedule } from '../recipe/recipe.ts';
import { parseCron } from '../recipe/cron-expression.ts';

export interface ScheduleFlags {
  readonly once?: boolean;
  readonly every?: string;
  readonly cron?: string;
  /** By what each recipe says. */
  readonly scheduled?: boolean;
  readonly jitter?: string;
}

export type ScheduleChoice =
  /** Later by a random time up to this. */
  | { readonly kind: 'once'; readonly jitterMs: number }
  | { readonly kind: 'fixed'; readonly schedule: RefreshSchedule }
  /** Of each recipe; `jitterMs` in place of the recipe's. */
  | { readonly kind: 'recipe'; readonly jitterMs: number | undefined };

const SHORTEST_MS = 1000;
const DAY_MS = 86_400_000;

/** Throws E_USAGE. */
export function chooseSchedule(flags: ScheduleFlags): ScheduleChoice {
  const { once, every, cron, scheduled, jitter } = flags;
  const chosen = Object.entries({ '--once': once, '--every': every, '--cron': cron, '--scheduled': scheduled })
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([flag]) => flag);
  if (chosen.length > 1) {
    const message = `${chosen.join(' and ')}: cannot be had together`;
    throw new RootcellarError('E_USAGE', message, { hint: `keep ${chosen[0] ?? ''} alone` });
  }
  const jitterMs = jitter === undefined ? undefined : durationOf(jitter, { flag: '--jitter', least: 0, most: DAY_MS });
  if (every !== undefined) {
    const everyMs = durationOf(every, { flag: '--every', least: SHORTEST_MS, most: 366 * DAY_MS });
    return { kind: 'fixed', schedule: { kind: 'every', everyMs, jitterMs: jitterMs ?? Math.round(everyMs / 10) } };
  }
  if (cron !== undefined) {
    return { kind: 'fixed', schedule: { kind: 'cron', expression: expressionOf(cron), jitterMs: jitterMs ?? 0 } };
  }
  return scheduled === true ? { kind: 'recipe', jitterMs } : { kind: 'once', jitterMs: jitterMs ?? 0 };
}

interface DurationFlag {
  readonly flag: string;
  readonly least: number;
  readonly most: number;
}

function durationOf(text: string, { flag, least, most }: DurationFlag): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= least && ms <= most) return ms;
  const range = `from ${formatDuration(least)} to ${formatDuration(most)}`;
  throw new RootcellarError('E_USAGE', `${flag}: ${quotedWord(text)} is no time ${range} with a unit`, {
    hint: `${flag} 10m (units: ${DURATION_UNITS})`,
  });
}

function expressionOf(text: string): string {
  const parsed = parseCron(text);
  if ('value' in parsed) return parsed.value;
  throw new RootcellarError('E_USAGE', `--cron: ${parsed.fault}`, { hint: `--cron "17 4 * * *": each day at 4:17` });
}
