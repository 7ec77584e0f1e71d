import { parseImagePath, type ImagePath } from '../base/image-path.ts';
import { artifactWriter } from './artifact-writer.ts';
import { ByteReader } from './byte-reader.ts';
import { invalidArtifact, mostUnpacked, type ByteSource } from './byte-source.ts';
import { decompress } from './decompress.ts';
import { mergeArtifacts } from './merge-tree.ts';
import { streamedMembers, type StreamedMember } from './tar-members.ts';
import type { ContentSink, Tree } from './tree.ts';

export interface RootfsTarInput {
  readonly source: ByteSource;
  /** File name, for errors. */
  readonly name: string;
  /** What its entries say that brought them. */
  readonly origin: string;
  readonly sink: ContentSink;
}

export interface RootfsTar {
  readonly tree: Tree;
  /** One line for a person each. */
  readonly warnings: readonly string[];
}

/** First bytes of compressed files, and the ending that such files have. Source: RFC 1952, "The .xz File Format", RFC 8878. */
const MAGICS: readonly (readonly [string, string])[] = [
  ['1f8b', '.tar.gz'],
  ['fd377a585a00', '.tar.xz'],
  ['28b52ffd', '.tar.zst'],
];

/**
 * Reads a root file system from any tar, compressed or not, as it stands: nothing is mapped, nothing left out but
 * devices and FIFOs, each named in a warning, and set-id bits. Missing folders are made.
 * E_ARTIFACT_INVALID: malformed or hostile. E_FILE_CONFLICT: something lies below what is no folder.
 */
export async function readRootfsTar({ source, name, origin, sink }: RootfsTarInput): Promise<RootfsTar> {
  const warnings: string[] = [];
  const seen = new Set<ImagePath>();
  const writer = artifactWriter({ archive: name, archiveSize: source.size, origin, sink });
  for await (const member of membersOf({ source, name })) {
    const path = parseImagePath(member.name);
    if (path === undefined) throw invalidArtifact(name, `the path \`${member.name}\` is not acceptable`);
    if (seen.has(path) && member.kind !== 'directory') throw invalidArtifact(name, `it brings \`/${path}\` twice`);
    seen.add(path);
    if (member.kind === 'device') warnings.push(`${name}: \`/${path}\` is a device or FIFO and was left out`);
    else if (path !== '') await writer.addMember({ path, target: targetOf(member) }, member);
  }
  const part = { name, version: '', entries: writer.finish(), replaces: [] };
  return { tree: mergeArtifacts([part]), warnings };
}

function targetOf({ kind, target }: StreamedMember): string {
  return kind === 'hardlink' ? (parseImagePath(target) ?? target) : target;
}

/** The members of any tar, compressed or not; `watch` sees all of its uncompressed bytes as they pass. */
export async function* membersOf(
  { source, name }: Pick<RootfsTarInput, 'source' | 'name'>,
  watch?: (chunk: Uint8Array) => void,
): AsyncGenerator<StreamedMember> {
  const head = Buffer.from(await source.read(0, Math.min(6, source.size))).toString('hex');
  const [, ending] = MAGICS.find(([magic]) => head.startsWith(magic)) ?? ['', '.tar'];
  const range = { offset: 0, length: source.size };
  const plain = decompress({ source, range, name: `${name}${ending}`, archive: name });
  const bytes = new ByteReader(watch === undefined ? plain : watched(plain, watch));
  try {
    yield* streamedMembers(bytes, { archive: name, most: mostUnpacked(source.size) });
  } finally {
    await bytes.close();
  }
}

async function* watched(
  chunks: AsyncIterable<Uint8Array>,
  watch: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    watch(chunk);
    yield chunk;
  }
}
