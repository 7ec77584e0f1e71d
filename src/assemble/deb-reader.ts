import { basename } from 'node:path/posix';
import { byteOrder } from '../base/byte-order.ts';
import { parseImagePath, type ImagePath } from '../base/image-path.ts';
import type { DebArtifact } from '../resolve/resolution.ts';
import { readArMembers, type ArMember } from './ar-reader.ts';
import { artifactWriter, type ArtifactWriter } from './artifact-writer.ts';
import { ByteReader } from './byte-reader.ts';
import { invalidArtifact, mostUnpacked, type ByteSource } from './byte-source.ts';
import { decompress } from './decompress.ts';
import { parseControl } from './deb-control.ts';
import { isTrivialScript } from './maintainer-scripts.ts';
import { streamedMembers, tarMembers, type StreamedMember, type TarMember } from './tar-members.ts';
import type { ContentSink, UnpackedArtifact } from './tree.ts';
import { isMergedFolder, mergedPath, mergedTarget } from './usr-merge.ts';

export interface DebInput {
  readonly artifact: DebArtifact;
  readonly source: ByteSource;
  readonly sink: ContentSink;
}

interface OpenDeb extends DebInput {
  /** File name, for errors. */
  readonly archive: string;
}

const SCRIPTS: ReadonlySet<string> = new Set(['config', 'postinst', 'postrm', 'preinst', 'prerm', 'triggers']);
const LARGEST_CONTROL = 1024 * 1024;
/** With the checksums of all files: it is read in memory. */
const LARGEST_CONTROL_TAR = 64 * 1024 * 1024;

/**
 * Unpacks a .deb of format 2 as dpkg would into a root with merged /usr, except that nothing of it is run, set-id bits
 * and compiled Python are left out, and devices are refused. Source: deb(5).
 * E_ARTIFACT_INVALID: malformed or hostile, or not the package that was locked.
 */
export async function unpackDeb(input: DebInput): Promise<UnpackedArtifact> {
  const deb: OpenDeb = { ...input, archive: basename(input.artifact.path) };
  const members = await readArMembers(input.source, deb.archive);
  const [version, control, data] = members.filter((member) => !member.name.startsWith('_'));
  if (
    version?.name !== 'debian-binary' ||
    !control?.name.startsWith('control.tar') ||
    !data?.name.startsWith('data.tar')
  ) {
    throw invalidArtifact(deb.archive, 'its members are not those of a .deb');
  }
  await checkFormat(deb, version);
  const { metadata, scripts } = await readControl(deb, control);
  return { entries: await readData(deb, data), scripts, metadata };
}

async function checkFormat({ source, archive }: OpenDeb, { offset, length }: ArMember): Promise<void> {
  const text = Buffer.from(await source.read(offset, Math.min(length, 16))).toString('latin1');
  if (!/^2\.\d+\n/.test(text)) throw invalidArtifact(archive, 'its format is not version 2');
}

async function readControl(deb: OpenDeb, member: ArMember): Promise<{ metadata: string; scripts: readonly string[] }> {
  const scripts: string[] = [];
  let metadata: string | undefined;
  for await (const { kind, name, content } of controlOf(deb, member)) {
    const path = parseImagePath(name) ?? '';
    if (kind === 'file' && SCRIPTS.has(path) && !isTrivialScript(textOf(deb, content))) scripts.push(path);
    if (kind === 'file' && path === 'control' && content.length <= LARGEST_CONTROL) metadata = textOf(deb, content);
  }
  if (metadata === undefined) throw invalidArtifact(deb.archive, 'it has no control file');
  checkIdentity(deb, metadata);
  return { metadata, scripts: scripts.toSorted(byteOrder) };
}

function checkIdentity({ artifact, archive }: OpenDeb, metadata: string): void {
  const fields = parseControl(metadata);
  for (const [field, locked] of [
    ['package', artifact.name],
    ['version', artifact.version],
    ['architecture', artifact.architecture],
  ] as const) {
    const actual = fields.get(field);
    if (actual !== locked)
      throw invalidArtifact(archive, `its ${field} is \`${actual ?? ''}\`, not \`${locked}\` as locked`);
  }
}

async function readData(deb: OpenDeb, member: ArMember): Promise<UnpackedArtifact['entries']> {
  const origin = `${deb.artifact.name} ${deb.artifact.version}`;
  const { archive, sink, source } = deb;
  const writer = artifactWriter({ archive, archiveSize: source.size, origin, sink });
  const seen = new Set<ImagePath>();
  for await (const entry of dataOf(deb, member)) {
    const path = parseImagePath(entry.name);
    if (path === undefined) throw invalidArtifact(deb.archive, `the path \`${entry.name}\` is not acceptable`);
    if (seen.has(path) && entry.kind !== 'directory')
      throw invalidArtifact(deb.archive, `it brings \`/${path}\` twice`);
    seen.add(path);
    if (path !== '' && !isCompiledPython(path)) await addMember(writer, path, entry);
  }
  return writer.finish();
}

async function addMember(writer: ArtifactWriter, path: ImagePath, member: StreamedMember): Promise<void> {
  if (member.kind === 'directory' && isMergedFolder(path)) return;
  const place = { path: mergedPath(path), target: targetOf(path, member) };
  await writer.addMember(place, member);
}

function targetOf(path: ImagePath, { kind, target }: StreamedMember): string {
  if (kind === 'symlink') return mergedTarget(path, target);
  const linked = parseImagePath(target);
  return linked === undefined ? target : mergedPath(linked);
}

/** Whether it is bytecode of some other interpreter: the image's own is compiled later. */
export function isCompiledPython(path: ImagePath): boolean {
  return path.endsWith('.pyc') || /(?:^|\/)__pycache__(?:\/|$)/.test(path);
}

async function* controlOf(deb: OpenDeb, member: ArMember): AsyncGenerator<TarMember> {
  const bytes = decompressed(deb, member);
  try {
    yield* tarMembers(bytes, deb.archive, LARGEST_CONTROL_TAR);
  } finally {
    await bytes.close();
  }
}

async function* dataOf(deb: OpenDeb, member: ArMember): AsyncGenerator<StreamedMember> {
  const bytes = decompressed(deb, member);
  try {
    yield* streamedMembers(bytes, { archive: deb.archive, most: mostUnpacked(deb.source.size) });
  } finally {
    await bytes.close();
  }
}

function decompressed({ source, archive }: OpenDeb, member: ArMember): ByteReader {
  return new ByteReader(decompress({ source, range: member, name: member.name, archive }));
}

function textOf({ archive }: OpenDeb, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    throw invalidArtifact(archive, 'its control files are not UTF-8', error);
  }
}
