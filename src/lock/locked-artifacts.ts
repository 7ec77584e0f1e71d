import type { Digest } from '../base/digest.ts';
import type { Artifact, HostContent, HostFile } from '../resolve/resolution.ts';
import type { LockedTarget } from './lockfile.ts';

/** The lists of a target that hold artifacts. A new list is a row here: then its files are vendored and looked for. */
const LISTS: readonly ((target: LockedTarget) => readonly Artifact[])[] = [
  ({ debs }) => debs,
  ({ wheels }) => wheels,
  ({ compilers = [] }) => compilers,
];

/** Every file that a build of `target` may need, in the order of the lockfile; a host’s come by `lockedHostFiles`. */
export function lockedArtifacts(target: LockedTarget): readonly Artifact[] {
  return LISTS.flatMap((list) => list(target));
}

export type LockedHostFile = Extract<HostFile, { kind: 'file' }>;

/** A content that the image gets from the machine it was locked on. */
export interface HostBytes {
  readonly kind: 'host';
  /** The first path at which that machine has it. */
  readonly name: string;
  readonly version: '';
  readonly size: number;
  readonly digest: Digest;
}

/** The regular files, in the order of the lockfile. */
export function lockedHostFiles({ files }: Pick<HostContent, 'files'>): readonly LockedHostFile[] {
  return files.filter((file) => file.kind === 'file');
}

/** What `files` hold, each content once. Links and folders need no bytes. */
export function hostBytes(files: readonly LockedHostFile[]): readonly HostBytes[] {
  const contents = new Map<Digest, HostBytes>();
  for (const { path, size, digest } of files) {
    if (!contents.has(digest)) contents.set(digest, { kind: 'host', name: path, version: '', size, digest });
  }
  return [...contents.values()];
}
