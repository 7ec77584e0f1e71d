import { readdirSync, readlinkSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { isErrno } from '../base/rootcellar-error.ts';
import { syncFolder, writeDurably } from './durable-file.ts';
import type { Image } from './image-record.ts';
import { generationPath, nextNumberPath } from './images.ts';
import type { GenerationLine } from './prune-plan.ts';
import type { Store } from './store.ts';

/** Removes some generations of a line, of which none is current: what leads to them before they go. */
export async function removeGenerations(
  store: Store,
  line: GenerationLine,
  images: readonly Image[],
): Promise<readonly string[]> {
  if (images.length === 0) return [];
  const { name, architecture, previous } = line;
  const folder = store.path('names', name, architecture);
  const numbers = new Set(images.map(({ generation }) => generation));
  unlinkInputs(store, images);
  if (previous !== undefined && numbers.has(previous.number))
    rmSync(store.path('names', name, architecture, 'previous'));
  const newest = Math.max(...line.images.map(({ generation }) => generation));
  // A number means one image for ever, though a newer one than the current may go.
  if (numbers.has(newest)) await writeDurably(store, nextNumberPath(store, name, architecture), `${newest + 1}\n`);
  syncFolder(folder);
  for (const number of numbers) rmSync(generationPath(store, name, { architecture, number }));
  syncFolder(folder);
  return [];
}

/** All of a line, the current one too, in one step. Gives the folder without a name that is left. */
export async function removeLine(
  store: Store,
  { name, architecture, images }: GenerationLine,
): Promise<readonly string[]> {
  unlinkInputs(store, images);
  const temporary = await store.temporaryPath();
  renameSync(store.path('names', name, architecture), temporary);
  syncFolder(store.path('names', name));
  removeEmpty(store.path('names', name));
  syncFolder(store.path('names'));
  return [temporary];
}

/** The name has other architectures, perhaps. */
function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'EEXIST')) throw error;
  }
}

function unlinkInputs(store: Store, images: readonly Image[]): void {
  const targets = new Set(
    images.map(({ name, architecture, generation }) => `../names/${name}/${architecture}/${generation}.json`),
  );
  for (const key of readdirSync(store.path('inputs'))) {
    const path = store.path('inputs', key);
    if (targets.has(readlinkSync(path))) rmSync(path);
  }
  syncFolder(store.path('inputs'));
}
