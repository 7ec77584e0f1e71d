import type { Architecture } from '../base/architecture.ts';
import { digestOf, type Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import {
  entryFor,
  parseConfig,
  parseDocument,
  type Descriptor,
  type ImageConfig,
  type IndexEntry,
} from './oci-documents.ts';

/** A layer that can be had. */
export interface OfferedLayer {
  readonly title: string;
  /** Of the layer as it is kept there, compressed or not. */
  readonly digest: Digest;
  /** Of its uncompressed tar. */
  readonly diffId: Digest;
  /** Gives `use` a file that has just those bytes: they were checked. */
  readonly withFile: <T>(use: (file: string) => Promise<T>) => Promise<T>;
}

/** An image of somebody else's, of one architecture, of which nothing but its digests is believed. */
export interface OfferedImage {
  readonly architecture: Architecture;
  /** Identifies all of it: of its manifest, or of its configuration where there is no manifest. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** The lowest first. */
  readonly layers: readonly OfferedLayer[];
}

/** Where documents and blobs are. A port: registries, folders and archives have one each. */
export interface BlobSource {
  /** For errors, such as `host/name:tag` or a path. */
  readonly title: string;
  /** A small blob's text, checked. `kind` says where registries keep it. */
  text(descriptor: Descriptor, kind: 'manifest' | 'blob'): Promise<string>;
  /** As `OfferedLayer.withFile`. */
  withFile<T>(descriptor: Descriptor, use: (file: string) => Promise<T>): Promise<T>;
}

/** What stands at the top: of an index, or of the only manifest. */
export interface TopDocument {
  readonly text: string;
  /** Empty where nothing says it. */
  readonly mediaType: string;
}

export const MOST_LAYERS = 512;
const MOST_NESTED = 3;
/** A name with an entry for every platform that there is has some dozens, a layout of many images some hundreds. */
const MOST_ENTRIES = 4096;

/**
 * The images of these architectures. Throws E_IMAGE_NOT_FOUND where one is not there, E_MEDIA_TYPE, E_ARTIFACT_INVALID, and what
 * the source throws.
 */
export async function offeredImages(
  source: BlobSource,
  top: TopDocument,
  architectures: readonly Architecture[],
): Promise<readonly OfferedImage[]> {
  const document = parseDocument(top.text, source.title, top.mediaType);
  if (document.kind === 'index') {
    const found: Flattened = { source, entries: [], read: new Set(), seen: 0 };
    await flatten(found, document.entries, MOST_NESTED);
    const { entries } = found;
    const images: OfferedImage[] = [];
    for (const architecture of architectures) {
      const entry = entryFor(entries, architecture);
      if (entry === undefined)
        throw notFor(
          source,
          architecture,
          entries.map(({ platform }) => platform),
        );
      images.push(
        await manifestImage(
          source,
          { text: await source.text(entry, 'manifest'), mediaType: entry.mediaType },
          architecture,
        ),
      );
    }
    return images;
  }
  const images: OfferedImage[] = [];
  for (const architecture of architectures) images.push(await manifestImage(source, top, architecture));
  return images;
}

interface Flattened {
  readonly source: BlobSource;
  readonly entries: IndexEntry[];
  /** Of indexes, and of manifests that are not said to be for anything: each is read once. */
  readonly read: Set<Digest>;
  /** Of all indexes, those too that are left out. */
  seen: number;
}

/** An index may hold others. Adds its entries and theirs to `found`. */
async function flatten(found: Flattened, entries: readonly IndexEntry[], depth: number): Promise<void> {
  const { source, read } = found;
  found.seen += entries.length;
  if (found.seen > MOST_ENTRIES) throw malformed(source, `has more than ${MOST_ENTRIES} entries in its indexes`);
  for (const entry of entries) {
    const isIndex = /index|manifest\.list/.test(entry.mediaType);
    const isTold = !isIndex && (entry.architecture !== undefined || entry.platform !== '/');
    if (isTold) found.entries.push(entry);
    if (isTold || read.has(entry.digest)) continue;
    read.add(entry.digest);
    if (!isIndex) {
      found.entries.push(await withPlatform(source, entry));
      continue;
    }
    if (depth === 0) throw malformed(source, 'has indexes in indexes without end');
    const inner = parseDocument(await source.text(entry, 'manifest'), source.title, entry.mediaType);
    if (inner.kind === 'index') await flatten(found, inner.entries, depth - 1);
  }
}

/** Layouts need not say what a manifest is for: its configuration does. */
async function withPlatform(source: BlobSource, entry: IndexEntry): Promise<IndexEntry> {
  const document = parseDocument(await source.text(entry, 'manifest'), source.title, entry.mediaType);
  if (document.kind === 'index') return entry;
  const { architecture, platform } = parseConfig(await source.text(document.config, 'blob'), source.title);
  return { ...entry, architecture, platform };
}

async function manifestImage(source: BlobSource, top: TopDocument, architecture: Architecture): Promise<OfferedImage> {
  const document = parseDocument(top.text, source.title, top.mediaType);
  if (document.kind === 'index') throw malformed(source, 'has an index where a manifest should be');
  const config = parseConfig(await source.text(document.config, 'blob'), source.title);
  if (config.architecture !== architecture) throw notFor(source, architecture, [config.platform]);
  const layers = offeredLayers(source, config, document.layers);
  return { architecture, digest: digestOf(top.text), config, layers };
}

/** `descriptors`: one for each uncompressed layer that `config` names. Throws E_ARTIFACT_INVALID. */
export function offeredLayers(
  source: BlobSource,
  config: ImageConfig,
  descriptors: readonly Descriptor[],
): readonly OfferedLayer[] {
  if (descriptors.length !== config.diffIds.length)
    throw malformed(source, 'has other layers than its configuration says');
  if (descriptors.length > MOST_LAYERS) throw malformed(source, `has more than ${MOST_LAYERS} layers`);
  return descriptors.map((descriptor, index): OfferedLayer => {
    const diffId = config.diffIds[index];
    if (diffId === undefined) throw new Error('unreachable: as many as layers');
    return {
      title: titleOf(config, index),
      digest: descriptor.digest,
      diffId,
      withFile: (use) => source.withFile(descriptor, use),
    };
  });
}

const OWN_TITLE = /^rootcellar: ([A-Za-z0-9][A-Za-z0-9._+-]{0,127})$/;

/** What of our own layers is told by their history, so that an image leaves again divided as it came. */
function titleOf({ madeBy }: ImageConfig, index: number): string {
  return OWN_TITLE.exec(madeBy?.[index] ?? '')?.[1] ?? `layer-${index + 1}`;
}

function notFor({ title }: BlobSource, architecture: Architecture, platforms: readonly string[]): RootcellarError {
  const there = [...new Set(platforms.filter((platform) => /^linux\/(?:amd64|arm64)$/.test(platform)))];
  const others =
    platforms.length === 0 ? 'it is empty' : `it is for ${[...new Set(platforms)].join(', ').slice(0, 300)}`;
  return new RootcellarError('E_IMAGE_NOT_FOUND', `${title}: is not for ${architecture}: ${others}`, {
    hint: there.length === 0 ? 'take another image' : `--arch ${there[0]?.slice('linux/'.length)}`,
  });
}

export function malformed({ title }: Pick<BlobSource, 'title'>, fault: string): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `${title}: ${fault}`, {
    hint: 'make the image again, or take another one',
  });
}
