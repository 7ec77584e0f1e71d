import { digestOf, type Digest } from '../base/digest.ts';
import { artifactPath, hasArtifact } from './artifacts.ts';
import { writeDurably } from './durable-file.ts';
import type { Store } from './store.ts';

/** Keeps bytes that were made here as an artifact. Throws E_DISK_FULL. */
export async function putArtifact(
  store: Store,
  content: Uint8Array,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const digest = digestOf(content);
  const size = content.length;
  if (!(await hasArtifact(store, digest, size))) await writeDurably(store, artifactPath(store, digest), content);
  return { digest, size };
}
