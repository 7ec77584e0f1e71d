import { createHash } from 'node:crypto';
import { artifactWriter, type ArtifactWriter } from '../assemble/artifact-writer.ts';
import { invalidArtifact, type ByteSource } from '../assemble/byte-source.ts';
import type { StreamedMember } from '../assemble/tar-members.ts';
import { membersOf } from '../assemble/tar-reader.ts';
import type { ContentSink, HardLinkEntry, UnpackedArtifact } from '../assemble/tree.ts';
import { canonicalJson, type Json } from '../base/canonical-json.ts';
import { digestFromHex, isDigest, type Digest } from '../base/digest.ts';
import { nameOf, parentOf, parseImagePath, type ImagePath } from '../base/image-path.ts';
import { listFrom, numberFrom, recordFrom, textFrom, textsFrom } from '../store/json-shape.ts';
import type { Layer } from './apply-layers.ts';

export interface LayerInput {
  readonly source: ByteSource;
  /** For errors. */
  readonly name: string;
  readonly sink: ContentSink;
}

/** What of a layer is no entry; kept as the metadata of the unpacked artifact. */
export interface LayerNotes extends Pick<Layer, 'removed' | 'emptied' | 'links'> {
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** Of the layer as it came, compressed or not. */
  readonly packedBytes: number;
  /** Devices and FIFOs, which are left out. */
  readonly leftOut: readonly ImagePath[];
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/**
 * Unpacks the tar of a layer, compressed or not. Nothing of it is believed; set-id bits, extended attributes and devices stay
 * behind, as they do in every image. Throws E_ARTIFACT_INVALID.
 * Source: OCI image specification 1.1, layer.md, "Whiteouts".
 */
export async function unpackLayer({ source, name, sink }: LayerInput): Promise<UnpackedArtifact> {
  const hash = createHash('sha256');
  const writer = artifactWriter({ archive: name, archiveSize: source.size, origin: '', sink });
  const found: Found = { files: new Set(), removed: [], emptied: [], links: [], leftOut: [] };
  for await (const member of membersOf({ source, name }, (chunk) => hash.update(chunk))) {
    const path = parseImagePath(member.name);
    if (path === undefined) throw invalidArtifact(name, `the path \`${member.name}\` is not acceptable`);
    if (path !== '') await take(path, member, { name, writer, found });
  }
  const diffId = digestFromHex(hash.digest('hex'));
  if (diffId === undefined) throw new Error('unreachable: sha256 gave no digest');
  const { removed, emptied, links, leftOut } = found;
  const notes = { diffId, packedBytes: source.size, removed, emptied, leftOut, links: links.map(linkJson) };
  return { entries: writer.finish(), scripts: [], metadata: canonicalJson(notes) };
}

/** Reads the metadata that `unpackLayer` gave. Throws a plain Error for anything else. */
export function readNotes(metadata: string): LayerNotes {
  const record = recordFrom(JSON.parse(metadata));
  const diffId = textFrom(record['diffId']);
  if (!isDigest(diffId)) throw new Error('a digest is malformed');
  return {
    diffId,
    packedBytes: numberFrom(record['packedBytes'] ?? 0),
    removed: textsFrom(record['removed']),
    emptied: textsFrom(record['emptied']),
    leftOut: textsFrom(record['leftOut']),
    links: listFrom(record['links']).map(linkFrom),
  };
}

interface Found {
  readonly files: Set<ImagePath>;
  readonly removed: ImagePath[];
  readonly emptied: ImagePath[];
  readonly links: HardLinkEntry[];
  readonly leftOut: ImagePath[];
}

interface Taking {
  readonly name: string;
  readonly writer: ArtifactWriter;
  readonly found: Found;
}

async function take(path: ImagePath, member: StreamedMember, { name, writer, found }: Taking): Promise<void> {
  const own = nameOf(path);
  if (own === OPAQUE) found.emptied.push(parentOf(path));
  else if (own === WHITEOUT || own === `${WHITEOUT}.` || own === `${WHITEOUT}..`) {
    throw invalidArtifact(name, `\`/${path}\` removes nothing that can be named`);
  } else if (own.startsWith(WHITEOUT)) {
    // Two marks: what aufs kept for itself.
    if (!own.startsWith(`${WHITEOUT}${WHITEOUT}`)) {
      found.removed.push(`${path.slice(0, path.length - own.length)}${own.slice(WHITEOUT.length)}`);
    }
  } else if (member.kind === 'device') found.leftOut.push(path);
  else if (member.kind === 'hardlink') await takeHardLink(path, member, { name, writer, found });
  else {
    if (member.kind === 'file') found.files.add(path);
    await writer.addMember({ path, target: member.target }, member);
  }
}

/** To a file of this layer, which has come before it, or of one below. */
async function takeHardLink(path: ImagePath, member: StreamedMember, { name, writer, found }: Taking): Promise<void> {
  const target = parseImagePath(member.target);
  if (target === undefined || target === '' || target === path) {
    throw invalidArtifact(name, `\`/${path}\` is a hard link to \`${member.target}\``);
  }
  if (found.files.has(target)) {
    found.files.add(path);
    await writer.addMember({ path, target }, member);
    return;
  }
  const { uid, gid, mtime } = member;
  found.links.push({ kind: 'hardlink', path, mode: 0o777, uid, gid, mtime, origin: '', target });
}

function linkJson({ path, uid, gid, mtime, target }: HardLinkEntry): Json {
  return { path, uid, gid, mtime, target };
}

function linkFrom(value: unknown): HardLinkEntry {
  const record = recordFrom(value);
  return {
    kind: 'hardlink',
    path: textFrom(record['path']),
    mode: 0o777,
    uid: numberFrom(record['uid']),
    gid: numberFrom(record['gid']),
    mtime: numberFrom(record['mtime']),
    origin: '',
    target: textFrom(record['target']),
  };
}
