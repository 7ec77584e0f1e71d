import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import { neededBy } from './garbage.ts';
import type { Image } from './image-record.ts';
import { letGo, takeAlone, type ImageHold } from './image-use.ts';
import { notFound } from './images.ts';
import { withLock } from './kernel-lock.ts';
import { beyondPolicy, isRecent, readLines, type GenerationLine, type PrunePolicy } from './prune-plan.ts';
import { forgetRefreshes } from './refresh-history.ts';
import { removeGenerations, removeLine } from './remove-generations.ts';
import { withStoreAlone, type UseOptions } from './store-use.ts';
import { onDisk } from './store-error.ts';
import type { Store } from './store.ts';
import { emptyTrash, sweepStore, type Swept } from './sweep-store.ts';

export interface RemovalOptions extends UseOptions {
  /** Since 1970. */
  readonly nowMs: number;
  /** Only says what would go. */
  readonly isDryRun?: boolean | undefined;
  /** For builds, exports and whatever else uses the store, at most; half a minute when undefined. */
  readonly waitMs?: number | undefined;
}

export interface PruneRequest extends PrunePolicy, RemovalOptions {
  /** Whose generations may go; of all when undefined. What no generation needs goes in any case. */
  readonly names?: readonly string[] | undefined;
}

export interface PruneReport {
  readonly removed: readonly Image[];
  /** Beyond the policy, and kept all the same. */
  readonly spared: readonly SparedGeneration[];
  readonly swept: Omit<Swept, 'trash'>;
}

export interface SparedGeneration {
  readonly image: Image;
  /** It runs, waits in a pool or is served; or it was current less than a minute ago. */
  readonly reason: 'in-use' | 'recent';
}

const PATIENCE_MS = 30_000;

/**
 * Removes the generations beyond the policy, and all that no generation and nobody at work needs. What runs, waits in a pool or
 * is served stays. Killed at any moment, it leaves a sound store. Throws E_IMAGE_NOT_FOUND for a name that nothing has,
 * E_STORE_BUSY, and E_STORE_INVALID where damage hides what is needed: then nothing was removed.
 */
export async function pruneStore(store: Store, request: PruneRequest): Promise<PruneReport> {
  const { names } = request;
  return removeFrom(store, request, {
    isConcerned: (line) => (names === undefined || names.includes(line.name)) && beyondPolicy(line, request).length > 0,
    wanted: (names ?? []).map((name) => ({ name, architecture: undefined })),
    choose: (line) => beyondPolicy(line, request),
    isRecent: (line, image) => isRecent(line, image, request.nowMs),
    remove: removeGenerations,
  });
}

export interface RemoveRequest extends RemovalOptions {
  readonly name: string;
  /** All of them when undefined. */
  readonly architecture?: Architecture | undefined;
}

/**
 * Removes a name with all of its generations, and what nobody else needs. Throws E_IMAGE_NOT_FOUND when nothing has the name, and
 * E_STORE_BUSY while an image of it is in use: then nothing was removed.
 */
export async function removeImage(store: Store, request: RemoveRequest): Promise<PruneReport> {
  const { name, architecture, isDryRun } = request;
  const report = await removeFrom(store, request, {
    isConcerned: (line) => line.name === name && (architecture === undefined || line.architecture === architecture),
    wanted: [{ name, architecture }],
    choose: ({ images }) => images,
    isRecent: () => false,
    isAllOrNothing: true,
    remove: removeLine,
  });
  if (architecture === undefined && isDryRun !== true) await forgetRefreshes(store, name);
  return report;
}

/** Which generations go, and how. */
interface Removal {
  readonly isConcerned: (line: GenerationLine) => boolean;
  /** Of which each must be there. */
  readonly wanted: readonly { readonly name: string; readonly architecture: Architecture | undefined }[];
  readonly choose: (line: GenerationLine) => readonly Image[];
  readonly isRecent: (line: GenerationLine, image: Image) => boolean;
  /** Throws where one is in use. */
  readonly isAllOrNothing?: boolean;
  /** Gives folders that are to be emptied. */
  readonly remove: (store: Store, line: GenerationLine, images: readonly Image[]) => Promise<readonly string[]>;
}

async function removeFrom(store: Store, options: RemovalOptions, removal: Removal): Promise<PruneReport> {
  const { waitMs = PATIENCE_MS, signal, isDryRun } = options;
  // Whoever writes first removes what killed processes left, though nothing else may be to be removed.
  if (isDryRun !== true) await store.temporaryPath();
  const work = (): Promise<Removed> => onDisk(store.home, () => removeAlone(store, options, removal));
  const { trash, ...report } = await withStoreAlone(store, work, { waitMs, signal });
  await emptyTrash(trash);
  return report;
}

interface Removed extends PruneReport {
  readonly trash: readonly string[];
}

/** While nobody is at work, and nobody switches a name that is concerned. */
async function removeAlone(store: Store, options: RemovalOptions, removal: Removal): Promise<Removed> {
  const before = await readLines(store);
  for (const { name, architecture } of removal.wanted) {
    const isIt = (line: GenerationLine): boolean =>
      line.name === name && (architecture === undefined || line.architecture === architecture);
    if (!before.some(isIt)) throw await notFound(store, name, architecture);
  }
  const holds: ImageHold[] = [];
  try {
    return await withLocks(store, before.filter(removal.isConcerned).map(lockOf), (locks) =>
      removeLocked(store, options, { removal, locks, holds }),
    );
  } finally {
    for (const hold of holds) letGo(hold);
  }
}

interface LockedRemoval {
  readonly removal: Removal;
  readonly locks: readonly string[];
  /** Of what goes; to be let go by the caller. */
  readonly holds: ImageHold[];
}

async function removeLocked(store: Store, options: RemovalOptions, locked: LockedRemoval): Promise<Removed> {
  const { nowMs, isDryRun = false } = options;
  const lines = await readLines(store);
  const { going, spared } = await choose(store, lines, { ...locked, isDryRun });
  const goes = new Set([...going.values()].flat());
  const needed = await neededBy(
    store,
    lines.flatMap(({ images }) => images).filter((image) => !goes.has(image)),
  );
  const trash: string[] = [];
  for (const [line, images] of going) {
    if (!isDryRun) trash.push(...(await locked.removal.remove(store, line, images)));
  }
  const { trash: more, ...swept } = await sweepStore(store, { needed, holds: locked.holds, nowMs, isDryRun });
  return { removed: [...goes], spared, swept, trash: [...trash, ...more] };
}

interface Choice {
  readonly going: ReadonlyMap<GenerationLine, readonly Image[]>;
  readonly spared: readonly SparedGeneration[];
}

/** Takes what goes for itself alone, so that no run begins with it. */
async function choose(
  store: Store,
  lines: readonly GenerationLine[],
  { removal, locks, holds, isDryRun }: LockedRemoval & { readonly isDryRun: boolean },
): Promise<Choice> {
  const concerned = lines.filter((line) => locks.includes(lockOf(line)));
  const beyond = concerned.flatMap((line) => removal.choose(line).map((image) => ({ line, image })));
  const recent = beyond.filter(({ line, image }) => removal.isRecent(line, image));
  const candidates = beyond.filter((one) => !recent.includes(one));
  const staying = new Set(lines.flatMap(({ images }) => images));
  for (const { image } of candidates) staying.delete(image);
  const kept = new Set([...staying].map(({ diffId }) => diffId));
  const inUse = new Set<Digest>();
  for (const diffId of new Set(candidates.map(({ image }) => image.diffId))) {
    if (kept.has(diffId)) continue;
    const hold = await takeAlone(store, diffId, { isLook: isDryRun });
    if (hold === undefined) inUse.add(diffId);
    else holds.push(hold);
  }
  const busy = candidates.filter(({ image }) => inUse.has(image.diffId));
  const [first] = busy;
  if (removal.isAllOrNothing === true && first !== undefined) throw imageInUse(first.image);
  const going = new Map(
    concerned.map((line) => [line, candidates.filter((one) => one.line === line && !busy.includes(one))] as const),
  );
  return {
    going: new Map([...going].map(([line, ones]) => [line, ones.map(({ image }) => image)])),
    spared: [
      ...busy.map(({ image }) => ({ image, reason: 'in-use' as const })),
      ...recent.map(({ image }) => ({ image, reason: 'recent' as const })),
    ],
  };
}

function imageInUse({ name, architecture, generation }: Image): RootcellarError {
  const message = `image \`${name}\`: generation ${generation} for ${architecture} is in use`;
  return new RootcellarError('E_STORE_BUSY', message, {
    hint: 'end the runs and services that use it, then try again',
  });
}

/** The lock of whoever switches or adds a generation. */
function lockOf({ name, architecture }: GenerationLine): string {
  return `name-${name}-${architecture}`;
}

async function withLocks<T>(
  store: Store,
  names: readonly string[],
  action: (names: readonly string[]) => Promise<T>,
): Promise<T> {
  const lock = (index: number): Promise<T> => {
    const name = names[index];
    return name === undefined ? action(names) : withLock(store, name, () => lock(index + 1));
  };
  return lock(0);
}
