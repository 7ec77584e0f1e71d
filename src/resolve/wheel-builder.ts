import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';
import type { DebArtifact, Interpreter, SdistArtifact, SourceArtifact, WheelArtifact } from './resolution.ts';

/**
 * Builds wheels from source, with nothing of the source ever run outside of a cell. A port: the joins have one.
 * Its methods throw E_ARTIFACT_INVALID for hostile sources, and what downloads throw.
 */
export interface WheelBuilder {
  /** Of this machine: what wheels are built for. */
  readonly architecture: Architecture;
  /** Brings a source distribution here. */
  readonly fetch: (source: SdistArtifact) => Promise<void>;
  /** Whether the source is here. */
  readonly has: (source: SourceArtifact) => Promise<boolean>;
  /** Keeps the files of a commit, for which digest and size are returned. */
  readonly keep: (files: CommitFiles) => Promise<{ readonly digest: Digest; readonly size: number }>;
  /** What a source that is here says of itself. Runs nothing. */
  readonly inspect: (source: SourceArtifact) => Promise<SourceFacts>;
  /** Throws E_WHEEL_BUILD with what the backend said, and E_SANDBOX where there can be no cell. */
  readonly build: (job: WheelJob) => Promise<WheelOutcome>;
}

/** The files of a commit as the repository has them. */
export interface CommitFiles {
  readonly commit: string;
  /** Of the commit, in seconds since 1970. */
  readonly time: number;
  readonly files: readonly CommitFile[];
}

export interface CommitFile {
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'symlink';
  /** Of a link: its target. */
  readonly content: Uint8Array;
}

export interface SourceFacts {
  /** In the form of a wheel's METADATA; undefined: only building tells. */
  readonly metadata: string | undefined;
  /** `build-system.requires`, as written. */
  readonly requires: readonly string[];
}

export interface WheelJob {
  readonly source: SourceArtifact;
  /** Exact wheels for `build-system.requires` and `known`, in byte order of name. */
  readonly requirements: readonly WheelArtifact[];
  /** What the backend has asked for before, as it said it; `all`: whatever it asks for is there. */
  readonly known: readonly string[] | 'all';
  readonly environment: BuildEnvironment;
}

/** In what wheels are built, besides their requirements. */
export interface BuildEnvironment {
  readonly architecture: Architecture;
  readonly interpreter: Interpreter;
  /** The image's own packages and those for building. */
  readonly debs: readonly DebArtifact[];
}

export type WheelOutcome =
  | { readonly kind: 'wheel'; readonly wheel: BuiltWheel }
  /** The backend wants these as well; nothing was built. */
  | { readonly kind: 'requires'; readonly requires: readonly string[] };

/** A wheel in canonical form. The store has it. */
export interface BuiltWheel {
  readonly file: string;
  readonly version: string;
  readonly size: number;
  readonly digest: Digest;
  /** The text of METADATA. */
  readonly metadata: string;
}
