import { z } from 'zod';
import { parseCron } from './cron-expression.ts';
import { recipePath } from './recipe-paths.ts';
import { duration } from './recipe-quantities.ts';
import { choice, count, leaf } from './recipe-values.ts';
import { DEFAULT_KEEP, type RefreshSchedule, type RefreshSettings } from './recipe.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** `refresh` of a recipe; the smoke test is not read yet. */
export interface RefreshDocument extends Omit<RefreshSettings, 'smokeTest'> {
  /** Relative to the recipe. */
  readonly smokeTest: string | undefined;
}

/** Nothing of it decides what the image holds. */
export function refreshSchema(): z.ZodType<RefreshDocument> {
  const off = choice(['off'], 'No refresh but those that are asked for.').transform((): RefreshDocument => {
    return { schedule: undefined, keep: DEFAULT_KEEP, smokeTest: undefined };
  });
  return z.union([settingsSchema(), off]);
}

function settingsSchema(): z.ZodType<RefreshDocument> {
  return z
    .strictObject({
      every: interval('From one refresh to the next.').optional(),
      cron: cronExpression().optional(),
      jitter: duration({
        least: 0,
        most: DAY_MS,
        example: '10m',
        description: 'Each refresh begins later by a random time up to this; left out: a tenth of `every`.',
      }).optional(),
      keep: count({
        least: 1,
        most: 1000,
        example: '5',
        description: `Generations that stay, the current one included; ${DEFAULT_KEEP} when left out.`,
      }).optional(),
      smoke_test: recipePath('Program that must end with 0 in a new image before it serves.', 'smoke.py').optional(),
    })
    .transform(({ every, cron, jitter, keep, smoke_test: smokeTest }, context): RefreshDocument => {
      if (every !== undefined && cron !== undefined) {
        const params = { hint: 'keep one of the two' };
        context.issues.push({ code: 'custom', input: {}, message: 'cannot have both `every` and `cron`', params });
        return z.NEVER;
      }
      return { schedule: scheduleOf({ every, cron, jitter }), keep: keep ?? DEFAULT_KEEP, smokeTest };
    });
}

/** How often refreshes are, in milliseconds. */
function interval(description: string): z.ZodType<number> {
  return duration({ least: MINUTE_MS, most: 366 * DAY_MS, example: '6h', description });
}

/** Undefined where neither is said. All in milliseconds. */
function scheduleOf({
  every,
  cron,
  jitter,
}: {
  readonly every?: number | undefined;
  readonly cron?: string | undefined;
  readonly jitter?: number | undefined;
}): RefreshSchedule | undefined {
  if (every !== undefined) return { kind: 'every', everyMs: every, jitterMs: jitter ?? Math.round(every / 10) };
  return cron === undefined ? undefined : { kind: 'cron', expression: cron, jitterMs: jitter ?? 0 };
}

/** Five fields, as crontab(5) has them, so that cron, systemd and Kubernetes mean the same; or one of its nicknames. */
function cronExpression(): z.ZodType<string> {
  return leaf(parseCron, {
    type: 'string',
    description: 'Minute, hour, day of month, month, day of week, as in crontab(5).',
  });
}
