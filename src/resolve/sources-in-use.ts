import type { NamedGit } from './git-sources.ts';
import type { WheelArtifact } from './resolution.ts';
import type { BuildEnvironment, WheelBuilder } from './wheel-builder.ts';

/** What of a recipe is built from source, and how. */
export interface SourceSettings {
  /** Normalised names of packages that are built from an index's source distribution. */
  readonly names: ReadonlySet<string>;
  /** Requirements for packages that are built from a commit. */
  readonly commits: readonly NamedGit[];
  readonly builder: WheelBuilder;
  readonly environment: BuildEnvironment;
  /** What is locked now and may not change, by normalised name. */
  readonly previous: ReadonlyMap<string, WheelArtifact>;
}
