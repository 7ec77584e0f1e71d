import type { Architecture } from '../base/architecture.ts';
import type { Digest } from '../base/digest.ts';

/** What a recipe resolves to: exact artifacts, per architecture. Names no host. */
export interface Resolution {
  /** The newest of its targets' epochs. */
  readonly epoch: Epoch;
  readonly resolvers: readonly ResolverVersion[];
  readonly targets: ReadonlyMap<Architecture, ResolvedTarget>;
  /** Where the architectures do not have the same, and why: a line for people each. */
  readonly differences?: readonly string[] | undefined;
  /** Seconds since 1970; where the recipe has a cooldown, no file that an index got later was taken. */
  readonly cutOff?: number | undefined;
}

/** What every generated file of an image gets as its time and no file exceeds. */
export interface Epoch {
  /** Since 1970. */
  readonly seconds: number;
  /** The input whose date it is, for people. */
  readonly from: string;
}

export interface ResolverVersion {
  readonly name: 'apt' | 'uv' | 'pip';
  readonly version: string;
}

export interface ResolvedTarget {
  readonly interpreter: Interpreter | undefined;
  readonly indexes: readonly SignedIndex[];
  /** In byte order of name. */
  readonly debs: readonly DebArtifact[];
  /** In byte order of name. */
  readonly wheels: readonly WheelArtifact[];
  /** The target's own, where it is another than the whole's: a new date for one architecture is none for the other. */
  readonly epoch?: Epoch | undefined;
  /**
   * Packages, in byte order of name, of an interpreter for another machine architecture which compiles this target's
   * bytecode there. No part of the image.
   */
  readonly compilers?: readonly DebArtifact[] | undefined;
  /** What this machine brings; undefined where the base is Debian. */
  readonly host?: HostContent | undefined;
  /** In byte order of soname. Left out where the recipe wants none. */
  readonly sharedObjects?: readonly SharedObject[] | undefined;
  /** Debian packages that are there while wheels are built, besides the image's own. In byte order of name; undefined: none. */
  readonly buildDebs?: readonly DebArtifact[] | undefined;
}

/** A library that the recipe wants by soname. */
export interface SharedObject {
  readonly soname: string;
  /** Absolute, where the loader finds it: `/usr/lib/x86_64-linux-gnu/libssl.so.3`. */
  readonly path: string;
  /** What brings it: the name of a locked package, or `this machine`. */
  readonly from: string;
}

/** Everything that an image gets from the machine it is locked on. */
export interface HostContent {
  /** In byte order of path. */
  readonly files: readonly HostFile[];
  /** Folders that were taken whole, in byte order: what is new in one of them is a change. */
  readonly folders: readonly string[];
}

/** A thing of this machine; `path` is absolute, and no component of it but the last is a link. */
export type HostFile =
  | {
      readonly kind: 'file';
      readonly path: string;
      /** 0o755 for what its owner may execute, else 0o644. */
      readonly mode: number;
      readonly size: number;
      readonly digest: Digest;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** An empty folder: the others come by what is in them. */
  | { readonly kind: 'folder'; readonly path: string }
  /** It is there, and the image does not get it. */
  | { readonly kind: 'left_out'; readonly path: string };

/** The Python of the image, and where it wants packages to be installed. */
export interface Interpreter {
  /** Such as `3.13.5`. */
  readonly version: string;
  /** Such as `/usr/bin/python3.13`. */
  readonly path: string;
  /** Version of the C library it runs on, such as `2.41`. */
  readonly glibc: string;
  /** Folder for modules, such as `/usr/local/lib/python3.13/dist-packages`. */
  readonly sitePath: string;
  /** Folder whose `bin`, `include` and other children a wheel's data goes to, such as `/usr/local`. */
  readonly prefix: string;
  /** Folder of the standard library; undefined: the usual one, seen from the program. See `standardLibrary`. */
  readonly stdlib?: string | undefined;
}

/** A signed index of an archive from which packages were taken. */
export interface SignedIndex {
  /** `debian`, or the name that the recipe gives a mirror's archive. */
  readonly archive: string;
  readonly suite: string;
  readonly component: string;
  readonly inRelease: Digest;
  readonly packages: Digest;
  /** The `Date` of the InRelease file, in seconds since 1970. */
  readonly date: number;
}

export interface DebArtifact {
  readonly kind: 'deb';
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture | 'all';
  /** Where the package was found, such as `trixie-security`. */
  readonly suite: string;
  /** Below the root of the archive, such as `pool/main/z/zlib/zlib1g_1.3_amd64.deb`. */
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
  /** Names of the locked packages that it depends on, in byte order. */
  readonly depends: readonly string[];
}

export interface WheelArtifact {
  readonly kind: 'wheel';
  /** Normalised as PEP 503 says. */
  readonly name: string;
  readonly version: string;
  /** File name, such as `numpy-2.3.1-cp313-cp313-manylinux_2_28_x86_64.whl`. */
  readonly file: string;
  readonly size: number;
  readonly digest: Digest;
  /** When the index got the file, in seconds since 1970; undefined where the index does not say. */
  readonly uploaded: number | undefined;
  /** Where it comes from, when that is no package index. */
  readonly from?: WheelOrigin | undefined;
  /** Undefined: it was not built here. */
  readonly builtFrom?: BuiltFrom | undefined;
}

/** What a wheel was built from, in a cell. The same source and requirements give the same wheel. */
export interface BuiltFrom {
  readonly source: SourceArtifact;
  /** The wheels that the build had, in byte order of name. */
  readonly requirements: readonly WheelArtifact[];
}

export type SourceArtifact = SdistArtifact | GitArtifact;

/** A source distribution of a package index. */
export interface SdistArtifact {
  readonly kind: 'sdist';
  /** Normalised as PEP 503 says. */
  readonly name: string;
  readonly version: string;
  /** Such as `six-1.17.0.tar.gz`. */
  readonly file: string;
  readonly size: number;
  readonly digest: Digest;
  readonly uploaded: number | undefined;
}

/** A commit. Where its repository is, the requirement says; whether it is still the same one, its digest. */
export interface GitArtifact {
  readonly kind: 'git';
  readonly name: string;
  readonly version: string;
  /** Of the repository's address without credentials. */
  readonly repository: Digest;
  /** Branch, tag or commit as the requirement has it; undefined: it has none. */
  readonly revision: string | undefined;
  /** All 40 or 64 hex digits. */
  readonly commit: string;
  /** A tag of the commit that is a version, for backends that ask the repository for theirs. */
  readonly tag: string | undefined;
  /** Folder of the project; undefined: the top. */
  readonly subdirectory: string | undefined;
  /** Of the canonical tar of its files. */
  readonly digest: Digest;
  readonly size: number;
}

/** Names a line or a place of the recipe, no host: addresses are there as digests (`placeIdentity`). */
export type WheelOrigin =
  | { readonly url: Digest }
  /** Relative to the recipe's folder. */
  | { readonly path: string }
  /** The digest of an address, or a path relative to the recipe's folder. */
  | { readonly findLinks: string };

export type Artifact = DebArtifact | WheelArtifact;

/** Files of this machine that are kept, compiled and named together, as if they were a package. */
export interface HostPart {
  readonly kind: 'host';
  /** Such as `this machine: /usr/lib/python3.11`. */
  readonly name: string;
  readonly version: '';
  /** Of `files`. */
  readonly digest: Digest;
  /** In byte order of path; none that is left out. */
  readonly files: readonly HostFile[];
}

/** An artifact and where this machine can get it from, best first. */
export interface LocatedArtifact {
  readonly artifact: Artifact | SdistArtifact;
  /** `http:`, `https:` or `file:` addresses. May carry credentials: never logged, never stored. */
  readonly urls: readonly string[];
}
