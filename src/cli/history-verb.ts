import { basename } from 'node:path';
import type { Json } from '../base/canonical-json.ts';
import { shortDigest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { formatDuration } from '../base/units.ts';
import { IMAGE_NAME, listImages, notFound } from '../store/images.ts';
import { readHistory, type RefreshHistory, type RefreshRecord } from '../store/refresh-history.ts';
import type { Store } from '../store/store.ts';
import type { CommandContext } from './command-context.ts';
import { withPipeline } from './pipeline.ts';
import { tableText } from './table-text.ts';
import { visibleText } from './visible-text.ts';

/** `rootcellar history NAME [NUMBER]`: the refreshes of an image, newest first, or all that is remembered of one. */
export async function historyVerb(context: CommandContext, name: string, number: string | undefined): Promise<number> {
  const { records, damaged } = await withPipeline(context, ({ store }) => historyOf(store, name));
  const wanted = damaged.find((path) => basename(path) === `${number}.json`);
  if (wanted !== undefined) throw new RootcellarError('E_STORE_INVALID', damageText(wanted), { hint: removal(wanted) });
  if (number === undefined) {
    for (const path of damaged) {
      context.reporter.progress({ kind: 'warning', message: damageText(path), hint: removal(path) });
    }
  }
  const shown = number === undefined ? records : records.filter((record) => `${record.number}` === number);
  if (number !== undefined && shown.length === 0) {
    throw new RootcellarError('E_USAGE', `history of \`${name}\`: has no refresh \`${number}\``, {
      hint: `rootcellar history ${name}`,
    });
  }
  const text = number === undefined ? historyText(name, records, damaged) : shown.map(recordText).join('');
  context.reporter.result(text, { history: { name, refreshes: shown.map(recordJson), damaged } });
  return 0;
}

/** An image that was never refreshed has an empty history; a name that nothing has is most likely misspelt. */
async function historyOf(store: Store, name: string): Promise<RefreshHistory> {
  if (!IMAGE_NAME.test(name)) throw await notFound(store, name);
  const history = await readHistory(store, name);
  if (history.records.length > 0 || history.damaged.length > 0) return history;
  if ((await listImages(store)).some((image) => image.name === name)) return history;
  throw await notFound(store, name);
}

function damageText(path: string): string {
  return `\`${path}\`: what it tells of a refresh is damaged`;
}

function removal(path: string): string {
  return `rm -r ${shellWord(path)}`;
}

function historyText(name: string, records: readonly RefreshRecord[], damaged: readonly string[]): string {
  if (records.length === 0 && damaged.length === 0) return `${name}: was never refreshed\n`;
  const rows = records.map((record) => {
    return [`${record.number}`, record.time, formatDuration(record.durationMs), record.result, outlineOf(record)];
  });
  return tableText(['NUMBER', 'ENDED', 'TOOK', 'RESULT', ''], rows);
}

/** What one wants to know first, on one line. */
function outlineOf({ result, repeated, generations, culprits, faults }: RefreshRecord): string {
  if (result === 'current') return repeated.times === 1 ? '' : `${repeated.times} times since ${repeated.since}`;
  if (result === 'switched') {
    return generations.map(({ architecture, generation }) => `${architecture} generation ${generation}`).join(', ');
  }
  const packages = culprits.map((names) => names.join(' and ')).join('; ');
  return visibleText(packages === '' ? (faults[0] ?? '') : `because of ${packages}`);
}

function recordText(record: RefreshRecord): string {
  const { number, time, durationMs, result, from, to, report, faults, log } = record;
  const locks = [from, to].map((digest) => (digest === undefined ? '-' : shortDigest(digest)));
  return [
    `refresh ${number}: ${result}, ${time}, took ${formatDuration(durationMs)}`,
    `lockfile ${locks.join(' → ')}`,
    ...[outlineOf(record)].filter((line) => line !== ''),
    ...faults.map((fault) => `  ${visibleText(fault)}`),
    ...changedLines(report).map((line) => `  ${visibleText(line)}`),
    ...log.map((line) => `| ${visibleText(line)}`),
    '',
  ].join('\n');
}

/** The changes of the report, as `refresh` tells them. */
function changedLines(report: Json): readonly string[] {
  return listOf(Object(report).architectures).flatMap((one) =>
    listOf(Object(one).changes).map((change) => {
      const { name, before, after, change: how } = Object(change);
      return `${Object(one).architecture} ${name} ${[before, after].filter(Boolean).join(' → ')} (${how})`;
    }),
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function recordJson({ durationMs, ...record }: RefreshRecord): Json {
  return { ...record, duration_ms: durationMs };
}
