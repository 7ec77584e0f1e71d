import type { Json } from '../base/canonical-json.ts';
import type { RootcellarError } from '../base/rootcellar-error.ts';
import type { RefreshResult } from '../refresh/refresh-result.ts';
import { errorText } from './error-text.ts';
import { resultJson } from './refresh-verb.ts';
import { visibleText } from './visible-text.ts';

/** How a cycle of a schedule ended: `error` where it could not be done. */
export type CycleEnd = RefreshResult | { readonly kind: 'failed'; readonly error: RootcellarError };

/** What a line tells of changes; the rest is counted. */
const MOST_CHANGES = 5;

/** One line for people, without the name. */
export function cycleText(end: CycleEnd): string {
  return visibleText(words(end)).replaceAll(/\s*\n\s*/g, '; ');
}

function words(end: CycleEnd): string {
  switch (end.kind) {
    case 'current':
      return 'nothing new';
    case 'available':
      return `there are updates: ${changesText(end)}`;
    case 'switched':
      return `${end.images.map(({ architecture, generation }) => `${architecture} generation ${generation}`).join(', ')} is current: ${changesText(end)}`;
    case 'kept': {
      const [first] = end.faults;
      const more = end.faults.length < 2 ? '' : ` and ${end.faults.length - 1} more`;
      const packages = end.culprits.map((names) => names.join(' and ')).join('; ');
      const because = packages === '' ? '' : `, because of the update of ${packages}`;
      return `stays as it is: ${first?.message ?? ''}${more}${because}; not taken: ${changesText(end)}`;
    }
    case 'failed':
      return errorText(end.error);
  }
}

function changesText({ report }: RefreshResult): string {
  const changes = report.architectures.flatMap(({ changes: all }) => all);
  const texts = new Set(
    changes.map(({ name, change, before, after }) =>
      before === undefined || after === undefined ? `${name} ${change}` : `${name} ${before} → ${after}`,
    ),
  );
  const shown = [...texts].slice(0, MOST_CHANGES);
  return texts.size > MOST_CHANGES ? `${shown.join(', ')} and ${texts.size - MOST_CHANGES} more` : shown.join(', ');
}

export function cycleJson(end: CycleEnd): Readonly<Record<string, Json>> {
  if (end.kind === 'failed') {
    const problems = end.error.problems.map(({ code, message, hint }) => ({ code, message, hint: hint ?? null }));
    return { result: 'failed', changes: [], generations: [], faults: [], culprits: [], problems };
  }
  return { ...resultJson(end), problems: [] };
}
