import { rm } from 'node:fs/promises';
import { digestOf, type Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { textOfBody } from '../store/drained.ts';
import { onDisk } from '../store/store-error.ts';
import type { Store } from '../store/store.ts';
import { downloadBlob } from './download-blob.ts';
import { referenceText } from './image-reference.ts';
import { READABLE_TYPES, type Descriptor } from './oci-documents.ts';
import type { BlobSource, TopDocument } from './offered-image.ts';
import type { Registry } from './registry-client.ts';
import { unreachable } from './registry-fault.ts';

/** What a document may have; registries take less. */
const LARGEST_DOCUMENT = 4 * 1024 ** 2;

/** The document that the reference names. Throws as `Registry.send` does, and E_DIGEST_MISMATCH. */
export async function topDocument(registry: Registry): Promise<TopDocument & { readonly digest: Digest }> {
  const { digest, tag } = registry.reference;
  const { text, mediaType, told } = await getDocument(registry, `manifests/${digest ?? tag}`);
  const got = digestOf(text);
  for (const promised of [digest, told])
    if (promised !== undefined && promised !== got) throw mismatch(registry, promised, got);
  return { text, mediaType, digest: got };
}

/** The blobs of a registry. Large ones lie in the store for as long as they are used. */
export function registrySource(registry: Registry, store: Store): BlobSource {
  const title = `\`${referenceText(registry.reference)}\``;
  return {
    title,
    text: async ({ digest, size }, kind) => {
      if (size > LARGEST_DOCUMENT) throw tooLarge(title);
      const { text } = await getDocument(registry, `${kind === 'manifest' ? 'manifests' : 'blobs'}/${digest}`);
      const got = digestOf(text);
      if (got !== digest) throw mismatch(registry, digest, got);
      return text;
    },
    withFile: async (descriptor, use) => {
      const file = await store.temporaryPath();
      try {
        await onDisk(store.home, () => fetched(registry, descriptor, file));
        return await use(file);
      } finally {
        await rm(file, { force: true });
      }
    },
  };
}

async function fetched(registry: Registry, descriptor: Descriptor, file: string): Promise<void> {
  const { progress } = registry;
  const detail = descriptor.digest.slice(0, 19);
  let told = 0;
  const advance = (bytes: number): void => {
    if (bytes - told < descriptor.size / 20 && bytes < descriptor.size) return;
    told = bytes;
    progress({ kind: 'advance', step: 'download', done: { bytes }, detail });
  };
  await downloadBlob(registry, { ...descriptor, file, advance });
}

type Document = TopDocument & { readonly told: string | undefined };

const MOST_READS = 3;

/** Again where the connection ends in the middle. */
async function getDocument(registry: Registry, place: string, reads = MOST_READS): Promise<Document> {
  const { repository, tag } = registry.reference;
  const { body, header } = await registry.send({
    method: 'GET',
    path: `/v2/${repository}/${place}`,
    headers: { accept: READABLE_TYPES },
    scopes: [`repository:${repository}:pull`],
    expected: [200],
    action: `pull ${repository}${tag === undefined ? '' : `:${tag}`}`,
  });
  try {
    const text = await textOfBody(body, LARGEST_DOCUMENT);
    if (text.length > LARGEST_DOCUMENT) throw tooLarge(`\`${referenceText(registry.reference)}\``);
    const mediaType = (header('content-type') ?? '').split(';')[0]?.trim() ?? '';
    return { text, mediaType, told: header('docker-content-digest') };
  } catch (error) {
    registry.signal.throwIfAborted();
    if (error instanceof RootcellarError) throw error;
    if (reads <= 1) throw unreachable(registry.reference.registry, error);
  }
  return getDocument(registry, place, reads - 1);
}

function mismatch({ reference }: Registry, promised: string, got: Digest): RootcellarError {
  const message = `registry \`${reference.registry}\`: \`${reference.repository}\`: expected ${promised.slice(0, 80)}, got ${got}`;
  return new RootcellarError('E_DIGEST_MISMATCH', message, { hint: 'run it again, or ask whoever runs the registry' });
}

function tooLarge(title: string): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `${title}: a document of it is too large`, {
    hint: 'take another image',
  });
}
