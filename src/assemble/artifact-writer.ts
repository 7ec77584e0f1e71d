import { byteOrder } from '../base/byte-order.ts';
import type { Digest } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { LARGE_FILE, MOST_FILES, invalidArtifact, mostUnpacked, wholeOf } from './byte-source.ts';
import { windowBytes } from './elf-bytes.ts';
import { parseElf, parseElfIn } from './elf-reader.ts';
import type { StreamedMember } from './tar-members.ts';
import type { ContentSink, ElfFacts, Entry, FileEntry, HardLinkEntry } from './tree.ts';

/** What an archive says of an entry besides its content. */
export interface EntryFacts {
  readonly path: ImagePath;
  /** Set-id bits and the file type are taken off. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

/** Gathers the entries of one artifact and hands their contents to the sink. */
export interface ArtifactWriter {
  addFile(facts: EntryFacts, content: Uint8Array): Promise<FileEntry>;
  /** Like `addFile`, for a content that may be larger than memory. */
  addStream(facts: EntryFacts, content: StreamedContent): Promise<FileEntry>;
  /** Adds a member of a tar at a place of the caller's choice. */
  addMember(place: MemberPlace, member: StreamedMember): Promise<void>;
  /** In byte order of path; of files that are one, the first is the file and the others link to it. */
  finish(): readonly Entry[];
}

export interface StreamedContent {
  readonly size: number;
  /** `size` bytes, or it throws; a chunk is valid until the next one is asked for. */
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

/** Where a member goes, and where it leads if it is a link: a hard link's target is a path of the image. */
export interface MemberPlace {
  readonly path: ImagePath;
  readonly target: string;
}

/** `archive` is the name for errors, `origin` what the entries say that brought them. */
export interface WriterOptions {
  readonly archive: string;
  /** Bytes of the archive. */
  readonly archiveSize: number;
  readonly origin: string;
  readonly sink: ContentSink;
}

/**
 * E_ARTIFACT_INVALID, from any method: two different things at one path, a hard link to what is no file of the same
 * artifact, a device or FIFO, more than `MOST_FILES` entries or `mostUnpacked` bytes.
 */
export function artifactWriter({ archive, archiveSize, origin, sink }: WriterOptions): ArtifactWriter {
  const entries = new Map<ImagePath, Entry>();
  let bytes = 0;
  const add = (entry: Entry): void => {
    const present = entries.get(entry.path);
    if (present !== undefined && !isSameThing(present, entry)) {
      throw invalidArtifact(archive, `it brings \`/${entry.path}\` twice`);
    }
    if (entries.size > MOST_FILES) throw invalidArtifact(archive, 'it unpacks to far too much');
    if (present === undefined) entries.set(entry.path, entry);
  };
  const count = (size: number): void => {
    bytes += size;
    if (bytes > mostUnpacked(archiveSize)) throw invalidArtifact(archive, 'it unpacks to far too much');
  };
  const addFile: ArtifactWriter['addFile'] = async (facts, content) => {
    count(content.length);
    const { digest, size } = await sink.write([content]);
    const entry: FileEntry = {
      kind: 'file',
      ...cleaned(facts),
      origin,
      size,
      digest,
      ...(isElf(content) ? elfPart(() => parseElf(content)) : {}),
    };
    add(entry);
    return entry;
  };
  const addStream: ArtifactWriter['addStream'] = async (facts, content) => {
    if (content.size <= LARGE_FILE) return addFile(facts, await wholeOf(content.chunks(), content.size));
    count(content.size);
    const start = Buffer.alloc(4);
    const { digest, size } = await sink.write(withStart(content.chunks(), start));
    const elf = isElf(start) ? await elfOf(sink, digest, size) : {};
    const entry: FileEntry = { kind: 'file', ...cleaned(facts), origin, size, digest, ...elf };
    add(entry);
    return entry;
  };
  const addMember: ArtifactWriter['addMember'] = async ({ path, target }, member) => {
    const facts = cleaned({ ...member, path });
    if (member.kind === 'file') await addStream(facts, member);
    else if (member.kind === 'directory') add({ kind: 'directory', ...facts, origin });
    else add(linkOf(member, { ...facts, origin, target }, archive));
  };
  return { addFile, addStream, addMember, finish: () => withCanonicalLinks(entries, archive) };
}

/** Copies the first bytes into `start` as they pass. */
async function* withStart(chunks: AsyncIterable<Uint8Array>, start: Buffer): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const chunk of chunks) {
    if (seen < start.length) start.set(chunk.subarray(0, start.length - seen), seen);
    seen += chunk.length;
    yield chunk;
  }
}

async function elfOf(sink: ContentSink, digest: Digest, size: number): Promise<ElfPart> {
  if (sink.inspect === undefined) throw new Error('unreachable: a large file for a sink that does not give it back');
  return await sink.inspect(digest, (readAt) => elfPart(() => parseElfIn(windowBytes(readAt, size))));
}

function linkOf(
  { kind }: StreamedMember,
  facts: EntryFacts & { readonly origin: string; readonly target: string },
  archive: string,
): Entry {
  if (kind === 'hardlink') return { kind, ...facts, mode: 0o777 };
  if (kind !== 'symlink') throw invalidArtifact(archive, `\`/${facts.path}\` is a device or FIFO`);
  if (facts.target === '') throw invalidArtifact(archive, `\`/${facts.path}\` links to nothing`);
  return { kind, ...facts, mode: 0o777 };
}

type ElfPart = Pick<FileEntry, 'elf' | 'elfFault'>;

/** A damaged library in an artifact, such as somebody's test data, harms nobody before something has to load it. */
function elfPart(parse: () => ElfFacts | undefined): ElfPart {
  try {
    const elf = parse();
    return elf === undefined ? {} : { elf };
  } catch (error) {
    if (!(error instanceof RootcellarError)) throw error;
    return { elfFault: error.message };
  }
}

function cleaned(facts: EntryFacts): EntryFacts {
  const { path, mode, uid, gid, mtime } = facts;
  return { path, mode: mode & 0o1777, uid, gid, mtime };
}

function isElf(content: Uint8Array): boolean {
  return content[0] === 0x7f && content[1] === 0x45 && content[2] === 0x4c && content[3] === 0x46;
}

function isSameThing(a: Entry, b: Entry): boolean {
  if (a.kind === 'directory') return b.kind === 'directory';
  if (a.kind === 'file') return b.kind === 'file' && a.digest === b.digest;
  return a.kind === b.kind && 'target' in b && a.target === b.target;
}

/** Hard links may point at one another in an archive; here each group becomes one file and links to just that. */
function withCanonicalLinks(entries: ReadonlyMap<ImagePath, Entry>, archive: string): readonly Entry[] {
  const firsts = new Map<FileEntry, ImagePath>();
  const sorted = [...entries.values()].toSorted((a, b) => byteOrder(a.path, b.path));
  return sorted.map((entry) => {
    if (entry.kind !== 'hardlink' && entry.kind !== 'file') return entry;
    const file = entry.kind === 'file' ? entry : linkedFile(entry, entries);
    if (file === undefined) {
      throw invalidArtifact(archive, `\`/${entry.path}\` is a hard link to what is no file of the same archive`);
    }
    const first = firsts.get(file);
    if (first === undefined) {
      firsts.set(file, entry.path);
      return fileAt(file, entry.path);
    }
    const { path, uid, gid, mtime, origin } = entry;
    return { kind: 'hardlink', path, mode: 0o777, uid, gid, mtime, origin, target: first };
  });
}

function fileAt(file: FileEntry, path: ImagePath): FileEntry {
  return { ...file, path };
}

function linkedFile(link: HardLinkEntry, entries: ReadonlyMap<ImagePath, Entry>): FileEntry | undefined {
  let entry: Entry | undefined = link;
  for (let hops = 0; entry?.kind === 'hardlink' && hops < 32; hops += 1) entry = entries.get(entry.target);
  return entry?.kind === 'file' ? entry : undefined;
}
