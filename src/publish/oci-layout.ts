import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Contents, Tree } from '../assemble/tree.ts';
import type { Architecture } from '../base/architecture.ts';
import { canonicalJson, type Json } from '../base/canonical-json.ts';
import { digestOf, hexOf, type Digest } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import { formatSize } from '../base/units.ts';
import { packTree } from '../pack/pack-tree.ts';
import { imageLayers } from './image-layers.ts';
import { MEDIA_TYPES, type Descriptor } from './oci-documents.ts';

/** One architecture's image, to be exported. */
export interface OciImage {
  readonly architecture: Architecture;
  readonly tree: Tree;
  readonly contents: Contents;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** What starts when nothing else is said; empty: nothing does. */
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface OciRequest {
  readonly images: readonly OciImage[];
  /** Absolute; is there, and empty. */
  readonly folder: string;
  /** What the image is called in it, such as `python`. */
  readonly reference: string;
  readonly compression: 'gzip' | 'none';
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** One image of a layout, with the paths in it that Docker's own format names. */
export interface WrittenImage {
  readonly architecture: Architecture;
  /** Of its manifest. */
  readonly digest: Digest;
  /** Bytes of its manifest. */
  readonly size: number;
  readonly config: Digest;
  readonly layers: readonly Digest[];
}

/**
 * Writes an OCI image layout: one index over all images, each with layers by `imageLayers`. The same images give the same
 * bytes, with gzip on the same version of zlib. Source: OCI image specification 1.1, image-layout.md, image-index.md, config.md.
 * Throws what `packTree` and `imageLayers` throw, and the signal's reason.
 */
export async function writeOciLayout(request: OciRequest): Promise<readonly WrittenImage[]> {
  const { images, folder, reference } = request;
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const written: WrittenImage[] = [];
  for (const image of images) written.push(await writeImage(image, request));
  const described = written.map(describedImage);
  const named = { 'org.opencontainers.image.ref.name': reference };
  const [only] = described;
  const whole =
    described.length === 1 && only !== undefined
      ? only
      : { ...(await writeJson(folder, MEDIA_TYPES.index, indexOf(described))) };
  const index = indexOf([{ ...Object(whole), annotations: named }]);
  await writeFile(join(folder, 'index.json'), canonicalJson(index));
  return written;
}

/** An index over all of them, by architecture. */
export function imageIndex(images: readonly WrittenImage[]): Json {
  return indexOf(images.map(describedImage));
}

function describedImage({ architecture, digest, size }: WrittenImage): Json {
  return { mediaType: MEDIA_TYPES.manifest, digest, size, platform: platformOf(architecture) };
}

function indexOf(manifests: readonly Json[]): Json {
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
}

function platformOf(architecture: Architecture): Json {
  return architecture === 'arm64' ? { architecture, os: 'linux', variant: 'v8' } : { architecture, os: 'linux' };
}

async function writeImage(image: OciImage, request: OciRequest): Promise<WrittenImage> {
  const { folder, compression, progress } = request;
  const { architecture, tree, epoch, command, labels } = image;
  const parts = imageLayers(tree);
  const step = 'export';
  progress({ kind: 'begin', step, title: `export ${parts.length} layers for ${architecture}` });
  const layers: (Descriptor & { readonly diffId: Digest; readonly title: string })[] = [];
  for (const part of parts) layers.push({ ...(await writeLayer(part.tree, image, request)), title: part.title });
  const created = new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
  const config = await writeJson(folder, MEDIA_TYPES.config, {
    ...Object(platformOf(architecture)),
    created,
    config: {
      Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8'],
      ...(command.length === 0 ? {} : { Cmd: command }),
      WorkingDir: '/',
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ title }) => ({ created, created_by: `rootcellar: ${title}` })),
  });
  const manifest = await writeJson(folder, MEDIA_TYPES.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config,
    layers: layers.map(({ digest, size }) => ({ mediaType: MEDIA_TYPES[compression], digest, size })),
  });
  const bytes = layers.reduce((sum, { size }) => sum + size, 0);
  progress({ kind: 'end', step, summary: `${layers.length} layers, ${formatSize(bytes)}` });
  const blobs = layers.map(({ digest }) => digest);
  return { architecture, digest: manifest.digest, size: manifest.size, config: config.digest, layers: blobs };
}

async function writeJson(
  folder: string,
  mediaType: string,
  value: Json,
): Promise<Descriptor & { [key: string]: Json }> {
  const text = canonicalJson(value);
  const digest = digestOf(text);
  await writeFile(blobPath(folder, digest), text);
  return { mediaType, digest, size: Buffer.byteLength(text) };
}

/** Absolute path of a blob in a layout. */
function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs/sha256', hexOf(digest));
}

async function writeLayer(
  tree: Tree,
  { contents }: OciImage,
  { folder, compression, signal }: OciRequest,
): Promise<Descriptor & { readonly diffId: Digest }> {
  const temporary = join(folder, 'layer.tmp');
  const [outer, inner] = [createHash('sha256'), createHash('sha256')];
  let size = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      outer.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const packed = async function* (): AsyncGenerator<Buffer> {
    for (const chunk of packTree(tree, contents)) {
      inner.update(chunk);
      // The chunk is another one when the next is asked for.
      yield Buffer.from(chunk);
    }
  };
  const file = createWriteStream(temporary, { flags: 'wx', mode: 0o644 });
  if (compression === 'gzip') await pipeline(packed, createGzip({ level: 6 }), counted, file, { signal });
  else await pipeline(packed, counted, file, { signal });
  if (!file.closed) await once(file, 'close');
  const digest = ended(outer);
  await rename(temporary, blobPath(folder, digest));
  return { mediaType: MEDIA_TYPES[compression], digest, size, diffId: ended(inner) };
}

function ended(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}`;
}
