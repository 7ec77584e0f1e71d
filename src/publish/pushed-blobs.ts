import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestFromHex, hexOf, type Digest } from '../base/digest.ts';
import { isErrno } from '../base/rootcellar-error.ts';
import { writeDurably } from '../store/durable-file.ts';
import { listFrom, recordFrom, textFrom } from '../store/json-shape.ts';
import type { Store } from '../store/store.ts';

/** Which repository of a registry was seen to have a blob, so that others of it need not be sent the bytes. */
export interface PushedBlobs {
  repositoryOf(digest: Digest): string | undefined;
  /** Writes that `repository` has these now. */
  remember(digests: readonly Digest[], repository: string): Promise<void>;
}

const MOST_BLOBS = 5000;

/** What was remembered of one registry. A memory that is damaged is empty: then more is sent. */
export async function openPushedBlobs(store: Store, registry: string): Promise<PushedBlobs> {
  const path = join(store.home, 'cache/pushed', `${registry.replaceAll(/[^a-z0-9.-]/g, '_')}.json`);
  const known = await readPushed(path);
  return {
    repositoryOf: (digest) => known.get(digest),
    remember: async (digests, repository) => {
      // The newest last: the oldest are forgotten.
      for (const digest of digests) known.delete(digest);
      for (const digest of digests) known.set(digest, repository);
      const rows = Array.from(known, ([digest, name]) => [hexOf(digest), name]).slice(-MOST_BLOBS);
      await mkdir(dirname(path), { recursive: true });
      await writeDurably(store, path, canonicalJson({ blobs: rows }));
    },
  };
}

async function readPushed(path: string): Promise<Map<Digest, string>> {
  const known = new Map<Digest, string>();
  try {
    for (const row of listFrom(recordFrom(JSON.parse(await readFile(path, 'utf8')))['blobs'])) {
      const [hex = '', repository] = listFrom(row).map(textFrom);
      const digest = digestFromHex(hex);
      if (digest !== undefined && repository !== undefined) known.set(digest, repository);
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error && !isErrno(error, 'ENOENT')) throw error;
    return new Map();
  }
  return known;
}
