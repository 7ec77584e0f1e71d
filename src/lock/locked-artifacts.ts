import type { Artifact } from '../resolve/resolution.ts';
import type { LockedTarget } from './lockfile.ts';

/** The lists of a target that hold artifacts. A new list is a row here: then its files are vendored and looked for. */
const LISTS: readonly ((target: LockedTarget) => readonly Artifact[])[] = [
  ({ debs }) => debs,
  ({ wheels }) => wheels,
  ({ compilers = [] }) => compilers,
];

/** Every file that a build of `target` may need, in the order of the lockfile. */
export function lockedArtifacts(target: LockedTarget): readonly Artifact[] {
  return LISTS.flatMap((list) => list(target));
}
