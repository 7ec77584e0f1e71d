import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pMap from 'p-map';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestOf, hexOf, type Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { referenceText } from './image-reference.ts';
import { MEDIA_TYPES } from './oci-documents.ts';
import { imageIndex, type WrittenImage } from './oci-layout.ts';
import type { PushedBlobs } from './pushed-blobs.ts';
import type { Registry } from './registry-client.ts';
import { scopesOf, uploadBlob, type LocalBlob, type UploadResult } from './upload-blob.ts';

export interface PushRequest {
  readonly registry: Registry;
  /** A layout that `writeOciLayout` wrote. */
  readonly folder: string;
  readonly images: readonly WrittenImage[];
  readonly pushed: PushedBlobs;
}

export interface Pushed {
  /** Of the index. */
  readonly digest: Digest;
  /** How many blobs went which way, and the bytes that were sent. */
  readonly there: number;
  readonly mounted: number;
  readonly sent: number;
  readonly bytes: number;
}

const AT_ONE_TIME = 4;

/**
 * Pushes the blobs, a manifest for each architecture, and an index over all under the reference's tag: whoever pulls in the
 * meantime sees the old image or the new one. Throws what `Registry.send` throws, and E_DIGEST_MISMATCH.
 */
export async function pushImages({ registry, folder, images, pushed }: PushRequest): Promise<Pushed> {
  const { progress, signal, reference } = registry;
  const digests = [...new Set(images.flatMap(({ layers, config }) => [...layers, config]))];
  const blobs = await Promise.all(digests.map((digest) => localBlob(folder, digest)));
  const step = 'push';
  const total = { items: blobs.length, bytes: blobs.reduce((sum, { size }) => sum + size, 0) };
  progress({ kind: 'begin', step, title: `push ${referenceText(reference)}`, total });
  let done = { items: 0, bytes: 0 };
  const results = await pMap(
    blobs,
    async (blob): Promise<UploadResult> => {
      const known = pushed.repositoryOf(blob.digest);
      const mountFrom = known === reference.repository ? undefined : known;
      const result = await uploadBlob(registry, { ...blob, mountFrom });
      done = { items: done.items + 1, bytes: done.bytes + blob.size };
      progress({ kind: 'advance', step, done, detail: result });
      return result;
    },
    { concurrency: AT_ONE_TIME, signal },
  );
  await pushed.remember(digests, reference.repository);
  for (const { digest } of images) {
    const text = await readFile(blobFile(folder, digest), 'utf8');
    await putManifest(registry, { text, name: digest, mediaType: MEDIA_TYPES.manifest });
  }
  const index = canonicalJson(imageIndex(images));
  const name = reference.tag ?? digestOf(index);
  const digest = await putManifest(registry, { text: index, name, mediaType: MEDIA_TYPES.index });
  const count = (wanted: UploadResult): number => results.filter((result) => result === wanted).length;
  const bytes = blobs.reduce((sum, { size }, at) => sum + (results[at] === 'sent' ? size : 0), 0);
  const counts = { there: count('there'), mounted: count('mounted'), sent: count('sent'), bytes };
  progress({ kind: 'end', step, summary: `${counts.sent} of ${blobs.length} blobs sent, ${formatSize(bytes)}` });
  return { digest, ...counts };
}

function blobFile(folder: string, digest: Digest): string {
  return join(folder, 'blobs/sha256', hexOf(digest));
}

async function localBlob(folder: string, digest: Digest): Promise<LocalBlob> {
  const file = blobFile(folder, digest);
  return { digest, file, size: (await stat(file)).size };
}

interface Document {
  readonly text: string;
  /** Tag or digest. */
  readonly name: string;
  readonly mediaType: string;
}

async function putManifest(registry: Registry, { text, name, mediaType }: Document): Promise<Digest> {
  const { repository, registry: host } = registry.reference;
  const digest = digestOf(text);
  const answer = await registry.send({
    method: 'PUT',
    path: `/v2/${repository}/manifests/${name}`,
    headers: { 'content-type': mediaType },
    body: () => text,
    scopes: scopesOf(registry),
    expected: [200, 201, 202],
    action: `push ${repository}`,
  });
  await answer.body.dump();
  const theirs = answer.header('docker-content-digest') ?? digest;
  if (theirs === digest) return digest;
  throw new RootcellarError(
    'E_DIGEST_MISMATCH',
    `registry \`${host}\`: took \`${name}\` as ${theirs.slice(0, 80)}, not ${digest}`,
    {
      hint: 'ask whoever runs it',
    },
  );
}
