import { ByteReader } from './byte-reader.ts';
import { blaming, invalidArtifact, type ByteSource } from './byte-source.ts';
import { decompress } from './decompress.ts';
import { LARGEST_SOURCE, MOST_SOURCE_FILES, sourceTree, type SourceEntry, type SourceTree } from './source-tree.ts';
import { tarMembers, type TarMember } from './tar-members.ts';
import type { ZipEntry } from './zip-directory.ts';
import { openZip, readZipEntry } from './zip-reader.ts';

/** Headers and padding of the most files. */
const LARGEST_TAR = LARGEST_SOURCE + MOST_SOURCE_FILES * 2048;

type Named = readonly [string, SourceEntry];

/**
 * Reads a source distribution, `.tar.gz` or `.zip`; nothing of it is executed. `archive` is its file name.
 * E_ARTIFACT_INVALID: malformed or hostile, as `tarMembers`, `openZip` and `sourceTree` say, a special file, or not all of it
 * in one folder. Source: "Source distribution format".
 */
export async function readSourceArchive(source: ByteSource, archive: string): Promise<SourceTree> {
  const files = archive.endsWith('.zip') ? await zipFiles(source, archive) : await tarFiles(source, archive);
  return blaming(archive, () => sourceTree(belowTop(files.named), files.time));
}

/** Reads what `packSource` wrote. `archive` must end in `.tar`. */
export async function readPackedSource(source: ByteSource, archive: string): Promise<SourceTree> {
  const files = await tarFiles(source, archive);
  return blaming(archive, () => sourceTree(files.named, files.time));
}

interface Files {
  readonly named: readonly Named[];
  readonly time: number;
}

async function tarFiles(source: ByteSource, archive: string): Promise<Files> {
  const range = { offset: 0, length: source.size };
  const plain = decompress({ source, range, name: archive.replace(/\.tgz$/, '.tar.gz'), archive });
  const bytes = new ByteReader(bounded(plain, archive));
  const named: Named[] = [];
  const contents = new Map<string, SourceEntry>();
  let time = 0;
  try {
    for await (const member of tarMembers(bytes, archive)) {
      const path = plainPath(member.name);
      if (path === '') continue;
      const entry = blaming(archive, () => entryOf(member, contents));
      time = Math.max(time, member.mtime);
      contents.set(path, entry);
      named.push([path, entry]);
      if (named.length > MOST_SOURCE_FILES) throw invalidArtifact(archive, 'it has too many files');
    }
  } finally {
    await bytes.close();
  }
  return { named, time };
}

/** A file of a tar is taken into memory whole, so what comes out of the compressor is bounded before. */
async function* bounded(chunks: AsyncIterable<Uint8Array>, archive: string): AsyncGenerator<Uint8Array> {
  let produced = 0;
  for await (const chunk of chunks) {
    produced += chunk.length;
    if (produced > LARGEST_TAR) throw invalidArtifact(archive, 'it unpacks to far too much');
    yield chunk;
  }
}

function plainPath(name: string): string {
  return name
    .replace(/^(?:\.\/+)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');
}

function entryOf(member: TarMember, contents: ReadonlyMap<string, SourceEntry>): SourceEntry {
  switch (member.kind) {
    case 'file':
      return { kind: 'file', content: Uint8Array.from(member.content), isExecutable: (member.mode & 0o111) !== 0 };
    case 'directory':
      return { kind: 'directory' };
    case 'symlink':
      return { kind: 'symlink', target: member.target };
    case 'hardlink':
      return linked(member, contents);
    case 'device':
      throw new Error(`\`${member.name}\` is a device or a pipe`);
  }
}

function linked({ name, target }: TarMember, contents: ReadonlyMap<string, SourceEntry>): SourceEntry {
  const file = contents.get(plainPath(target));
  if (file?.kind === 'file') return file;
  throw new Error(`\`${name}\` is a hard link to what is no file before it`);
}

async function zipFiles(source: ByteSource, archive: string): Promise<Files> {
  const zip = await openZip(source, archive);
  const total = zip.entries.reduce((sum, { size }) => sum + size, 0);
  if (total > LARGEST_SOURCE || zip.entries.length > MOST_SOURCE_FILES) {
    throw invalidArtifact(archive, 'it unpacks to far too much');
  }
  const named: Named[] = [];
  for (const entry of zip.entries)
    named.push([plainPath(entry.name), await zipEntry(entry, () => readZipEntry(zip, entry))]);
  return { named, time: Math.max(0, ...zip.entries.map(({ mtime }) => mtime)) };
}

async function zipEntry({ name, mode }: ZipEntry, read: () => Promise<Uint8Array>): Promise<SourceEntry> {
  if (name.endsWith('/')) return { kind: 'directory' };
  return { kind: 'file', content: await read(), isExecutable: ((mode ?? 0) & 0o111) !== 0 };
}

/** All of a source distribution lies in one folder, whose name is not part of the project. */
function belowTop(named: readonly Named[]): readonly Named[] {
  const tops = new Set(named.map(([path]) => path.split('/')[0] ?? ''));
  const [top = ''] = tops;
  if (tops.size !== 1 || top === '') throw new Error('its files are not all in one folder');
  return named.flatMap(([path, entry]): Named[] => {
    if (path !== top) return [[path.slice(top.length + 1), entry]];
    if (entry.kind === 'directory') return [];
    throw new Error('its files are not all in one folder');
  });
}
