import { join } from 'node:path/posix';
import { byteOrder } from '../base/byte-order.ts';
import type { HostDisk } from './host-disk.ts';
import { isHostSpecific, isPassedOver, type HostRules } from './host-rules.ts';

/** What a folder of this machine holds, in byte order of path. Links are not followed. */
export type HostFinding =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string }
  /** An empty one. */
  | { readonly kind: 'folder'; readonly path: string }
  /** `reason` completes "…: left out, as it …". */
  | { readonly kind: 'dropped'; readonly path: string; readonly reason: string };

const DEEPEST = 100;

/** Everything below `folder`, a real path, that an image is to have of it. Throws E_HOST_FILE. */
export function walkHostFolder(
  disk: HostDisk,
  folder: string,
  rules: HostRules,
): Generator<HostFinding, void, undefined> {
  return walk({ disk, rules }, folder, 0);
}

interface Walk {
  readonly disk: HostDisk;
  readonly rules: HostRules;
}

function* walk(walking: Walk, folder: string, depth: number): Generator<HostFinding, void, undefined> {
  const names = walking.disk.names(folder);
  if (names.includes(undefined)) {
    const reason = 'has a name that is not plain UTF-8 text, which no lockfile can hold';
    yield { kind: 'dropped', path: join(folder, '…'), reason };
  }
  const known = new Set(names);
  if (names.length === 0 && depth > 0) yield { kind: 'folder', path: folder };
  for (const name of names.flatMap((one) => one ?? []).toSorted(byteOrder)) {
    const path = join(folder, name);
    if (!isPassedOver(path, known.has(name.slice(0, -1)), walking.rules)) yield* findingsAt(walking, path, depth);
  }
}

function* findingsAt(walking: Walk, path: string, depth: number): Generator<HostFinding, void, undefined> {
  if (isHostSpecific(path)) {
    yield { kind: 'dropped', path, reason: 'belongs to this machine alone' };
    return;
  }
  const thing = walking.disk.look(path);
  if (thing?.kind === 'file' || thing?.kind === 'link') yield { kind: thing.kind, path };
  if (thing?.kind === 'special') yield { kind: 'dropped', path, reason: `is ${thing.what}` };
  if (thing?.kind !== 'folder') return;
  if (depth === DEEPEST) yield { kind: 'dropped', path, reason: `lies more than ${DEEPEST} folders deep` };
  else yield* walk(walking, path, depth + 1);
}
