import type { ProgressAmount } from '../base/progress.ts';
import { formatSize } from '../base/units.ts';

const BAR_WIDTH = 24;

/** `12/60, 3.4 MiB of 40 MiB`, with as much of it as is known. */
export function progressText(done: ProgressAmount, total: ProgressAmount | undefined): string {
  const parts: string[] = [];
  if (done.items !== undefined) {
    parts.push(total?.items === undefined ? `${done.items}` : `${done.items}/${total.items}`);
  }
  if (done.bytes !== undefined) {
    const bytes = formatSize(done.bytes);
    parts.push(total?.bytes === undefined ? bytes : `${bytes} of ${formatSize(total.bytes)}`);
  }
  return parts.join(', ');
}

/** A bar of fixed width, by bytes where they are known, else by items. Empty when the total is not known. */
export function progressBar(done: ProgressAmount, total: ProgressAmount | undefined): string {
  const fraction = share(done.bytes, total?.bytes) ?? share(done.items, total?.items);
  if (fraction === undefined) return '';
  const filled = Math.round(Math.min(1, fraction) * BAR_WIDTH);
  return `${'━'.repeat(filled)}${'╌'.repeat(BAR_WIDTH - filled)} ${Math.floor(Math.min(1, fraction) * 100)}%`;
}

function share(done: number | undefined, total: number | undefined): number | undefined {
  return done === undefined || total === undefined || total === 0 ? undefined : done / total;
}
