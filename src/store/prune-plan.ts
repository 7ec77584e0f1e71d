import { lstatSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { ARCHITECTURES, type Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { Image } from './image-record.ts';
import { IMAGE_NAME, listGenerations } from './images.ts';
import { damaged } from './store-error.ts';
import type { Store } from './store.ts';

/** All generations of a name for one architecture. */
export interface GenerationLine {
  readonly name: string;
  readonly architecture: Architecture;
  /** Oldest first. */
  readonly images: readonly Image[];
  readonly current: number | undefined;
  /** Was current before, until this time. */
  readonly previous: PreviousGeneration | undefined;
}

export interface PreviousGeneration {
  readonly number: number;
  /** Since 1970. */
  readonly untilMs: number;
}

/** Whoever looked a name up may not have begun with what it found. */
const GRACE_MS = 60_000;

/** Of every name and architecture, in byte order. Throws E_STORE_INVALID where it cannot be known what is current. */
export async function readLines(store: Store): Promise<readonly GenerationLine[]> {
  const names = (await readdir(store.path('names'))).filter((name) => IMAGE_NAME.test(name)).toSorted(byteOrder);
  const pairs = names.flatMap((name) => ARCHITECTURES.map((architecture) => ({ name, architecture })));
  const lines = await Promise.all(pairs.map(({ name, architecture }) => readLine(store, name, architecture)));
  return lines.filter(({ images, current }) => images.length > 0 || current !== undefined);
}

async function readLine(store: Store, name: string, architecture: Architecture): Promise<GenerationLine> {
  const link = (word: string): string => store.path('names', name, architecture, word);
  const current = linkedNumber(link('current'));
  const previous = linkedNumber(link('previous'));
  const images = await listGenerations(store, name, architecture);
  if (current !== undefined && !images.some(({ generation }) => generation === current.number)) {
    throw damaged(link('current'), 'leads to no generation');
  }
  return { name, architecture, images, current: current?.number, previous };
}

/** Undefined where there is no such link. */
function linkedNumber(path: string): PreviousGeneration | undefined {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  if (!status.isSymbolicLink()) throw damaged(path, 'is no link');
  return { number: Number.parseInt(readlinkSync(path), 10), untilMs: status.mtimeMs };
}

export interface PrunePolicy {
  /** Generations that stay of each name and architecture, the current one among them. At least 1. */
  readonly keep: number;
  /** Since 1970. */
  readonly nowMs: number;
}

/** What of a line is beyond the policy: the current one and the newest ones stay. */
export function beyondPolicy(
  { images, current }: GenerationLine,
  { keep }: Pick<PrunePolicy, 'keep'>,
): readonly Image[] {
  const others = images.filter(({ generation }) => generation !== current);
  const stay = current === undefined ? keep : keep - 1;
  return others.slice(0, Math.max(0, others.length - stay));
}

/** Whether it was current until a moment ago. A time to come is one of another clock. */
export function isRecent({ previous }: GenerationLine, { generation }: Image, nowMs: number): boolean {
  return previous?.number === generation && nowMs - previous.untilMs < GRACE_MS;
}
