import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { standardLibrary } from '../resolve/interpreter-facts.ts';
import type { HostContent, HostFile, Interpreter } from '../resolve/resolution.ts';
import type { HostDisk } from './host-disk.ts';
import { hostLibraries } from './host-libraries.ts';
import { walkHostFolder } from './host-walk.ts';
import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import type { FileStamp } from './host-disk.ts';
import { byteOrder } from '../base/byte-order.ts';

export interface HostChange {
  readonly path: string;
  /** Such as `is gone`. */
  readonly change: string;
}

export interface HostComparison {
  readonly disk: HostDisk;
  readonly architecture: Architecture;
  readonly interpreter: Interpreter | undefined;
  /** The digest of the file at `path`: known already for one with this stamp, or read now. Throws E_HOST_FILE. */
  readonly digestOf: (path: string, stamp: FileStamp) => Digest;
}

/** What is not as it was locked, in byte order of path: changed, gone, or new in a folder that was taken whole. */
export function hostChanges({ files, folders }: HostContent, comparison: HostComparison): readonly HostChange[] {
  const known = new Set(files.map(({ path }) => path));
  const changes = files.flatMap((file): HostChange[] => {
    const change = changeOf(file, comparison);
    return change === undefined ? [] : [{ path: file.path, change }];
  });
  const appeared = newPaths(folders, known, comparison).map((path) => ({ path, change: 'is new' }));
  return [...changes, ...appeared].toSorted((a, b) => byteOrder(a.path, b.path));
}

function changeOf(file: HostFile, { disk, digestOf }: HostComparison): string | undefined {
  if (file.kind === 'left_out') return undefined;
  const thing = disk.look(file.path);
  if (thing === undefined) return 'is gone';
  if (thing.kind !== file.kind) return `is ${thing.kind === 'special' ? thing.what : `a ${thing.kind}`} now`;
  if (file.kind === 'link') {
    return thing.kind === 'link' && thing.target !== file.target ? `leads to \`${thing.target}\` now` : undefined;
  }
  if (file.kind !== 'file' || thing.kind !== 'file') return undefined;
  if (thing.size !== file.size) return `has ${formatSize(thing.size)}, had ${formatSize(file.size)}`;
  if (thing.mode !== file.mode) return `has mode ${thing.mode.toString(8)}, had ${file.mode.toString(8)}`;
  return digestOf(file.path, thing.stamp) === file.digest ? undefined : 'has another content';
}

/** A folder that is not empty any more is no change of its own: what is in it is new. */
function newPaths(
  folders: readonly string[],
  known: ReadonlySet<string>,
  { disk, architecture, interpreter }: HostComparison,
): readonly string[] {
  if (folders.length === 0 || interpreter === undefined) return [];
  const loaderFolders = hostLibraries(disk, architecture).folders;
  const rules = { stdlib: standardLibrary(interpreter), loaderFolders };
  const found = folders.flatMap((folder) => [...walkHostFolder(disk, folder, rules)]);
  return [...new Set(found.flatMap(({ kind, path }) => (kind === 'dropped' || known.has(path) ? [] : [path])))];
}

const MOST_NAMED = 10;

/** E_HOST_CHANGED for `changes`, which must not be empty: the first ten by name. */
export function hostChangedError(changes: readonly HostChange[], hint: string): RootcellarError {
  const named = changes.slice(0, MOST_NAMED).map(({ path, change }): Problem => ({
    code: 'E_HOST_CHANGED',
    message: `\`${path}\`: ${change}`,
    hint,
  }));
  const more = changes.length - named.length;
  const rest = { code: 'E_HOST_CHANGED', message: `this machine: ${more} more files are not as locked`, hint } as const;
  return RootcellarError.ofProblems(more > 0 ? [...named, rest] : named);
}
