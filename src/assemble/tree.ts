import type { Digest } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';

/** The files of an image: metadata and digests, no contents. Keys are the entries' paths; the root is not an entry. */
export type Tree = ReadonlyMap<ImagePath, Entry>;

export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | HardLinkEntry;

interface EntryMetadata {
  readonly path: ImagePath;
  /** Permission bits, at most 0o1777: set-user-ID and set-group-ID never enter an image. 0o777 for links. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970, not negative. */
  readonly mtime: number;
  /** What brought it, such as `libc6 2.41-12` or `rootcellar`. */
  readonly origin: string;
}

export interface FileEntry extends EntryMetadata {
  readonly kind: 'file';
  readonly size: number;
  readonly digest: Digest;
  /** Present exactly when the content is an ELF file that a loader may load. */
  readonly elf?: ElfFacts | undefined;
  /** Why no loader takes an ELF file that says it is a program or library: it is cut short, or refers to nothing. */
  readonly elfFault?: string | undefined;
}

export interface DirectoryEntry extends EntryMetadata {
  readonly kind: 'directory';
}

export interface SymlinkEntry extends EntryMetadata {
  readonly kind: 'symlink';
  /** As written in the link: relative or absolute, may dangle. Not empty. */
  readonly target: string;
}

export interface HardLinkEntry extends EntryMetadata {
  readonly kind: 'hardlink';
  /** The file that it is one with. In a packed tree always the first path of the group in byte order. */
  readonly target: ImagePath;
}

/** What the loader would read of an ELF file. Source of all fields: the System V ABI, "Dynamic Section", and ld.so(8). */
export interface ElfFacts {
  /** `e_machine`. */
  readonly machine: number;
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** For another system: big-endian, or an OS ABI that is not Linux's. A loader that meets such a file gives up. */
  readonly foreign?: true | undefined;
  /** `PT_INTERP`: only programs have one. */
  readonly interpreter?: string | undefined;
  readonly soname?: string | undefined;
  readonly needed: readonly string[];
  /** `DT_RPATH`, split at colons; an empty part is the working directory. Has none where `runpath` is present. */
  readonly rpath: readonly string[];
  /** `DT_RUNPATH`, likewise. One that is there but empty has one empty part. */
  readonly runpath: readonly string[];
  /** Versions needed of libraries: `{ 'libc.so.6': ['GLIBC_2.34'] }`. */
  readonly versionsNeeded: Readonly<Record<string, readonly string[]>>;
  readonly versionsDefined: readonly string[];
  /** `DF_1_NODEFLIB`: default folders are not searched. */
  readonly noDefaultLibraries: boolean;
  /** Whether it has a dynamic section at all: static programs and object files have none. */
  readonly dynamic: boolean;
}

/** Where the bytes of a tree's files come from. A port: `store/` has them. */
export interface Contents {
  /**
   * The content in chunks. A chunk is valid only until the next one is asked for.
   * Throws E_STORE_INVALID when the content is not there.
   */
  chunks(digest: Digest, size: number): Iterable<Uint8Array>;
}

/** Takes the bytes of files as an artifact is unpacked, in order, and keeps them by digest. A port: `store/` has one. */
export interface ContentSink {
  /** Appends one file's content; the returned digest is that of all its chunks. */
  write(
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  /**
   * Lets `look` read parts of a content that was written, in any order. Only what takes large files must have it: smaller
   * ones are looked at in memory.
   */
  inspect?<T>(digest: Digest, look: (readAt: ReadAt) => T): Promise<T>;
}

/** The `length` bytes from `offset`, which must be inside the content. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/** One artifact, unpacked to canonical form: once in the life of a store. */
export interface UnpackedArtifact {
  /** In byte order of path; paths already usr-merged and where the image has them. Parents may be missing. */
  readonly entries: readonly Entry[];
  /** Maintainer scripts that were not run: `preinst`, `postinst`, `prerm`, `postrm`, `config`, `triggers`. */
  readonly scripts: readonly string[];
  /** The control file of a .deb, the METADATA of a wheel. */
  readonly metadata: string;
}
