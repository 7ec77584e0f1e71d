import { hostParts } from './assemble/host-parts.ts';
import type { UnpackedArtifact } from './assemble/tree.ts';
import { unpackHost } from './assemble/unpack-host.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, type Digest } from './base/digest.ts';
import { lockedHostFiles } from './lock/locked-artifacts.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { PreparedArtifact, PrepareRequest } from './prepare-artifacts.ts';
import { recipeWord } from './recipe/recipe.ts';
import type { HostPart } from './resolve/resolution.ts';
import { readUnpacked, writeUnpacked } from './store/unpacked.ts';

/** The locked files of a host → the same in the store, copied once as long as they stay as they are. */
export async function prepareHost(
  { recipe, architecture, target, format }: PrepareRequest,
  context: PipelineContext,
): Promise<readonly PreparedArtifact[]> {
  if (target.host === undefined) return [];
  const { store, signal, progress } = context;
  const parts = hostParts(target.host).map((part) => ({ part, key: keyOf(part, format) }));
  const found = new Map<Digest, UnpackedArtifact>();
  for (const { key } of parts) {
    const unpacked = await readUnpacked(store, key);
    if (unpacked !== undefined) found.set(key, unpacked);
  }
  const missing = parts.filter(({ key }) => !found.has(key));
  if (missing.length > 0) {
    // Loaded only now: most builds copy nothing.
    const { hostSupply } = await import('./host-supply.ts');
    const files = missing.flatMap(({ part }) => lockedHostFiles(part));
    const disk = await hostSupply({ target, architecture, recipe: recipeWord(recipe), files }, context);
    const items = missing.reduce((sum, { part }) => sum + part.files.length, 0);
    progress({ kind: 'begin', step: 'copy', title: `copy ${items} files of ${disk.place}` });
    for (const { part, key } of missing) {
      signal.throwIfAborted();
      found.set(key, await writeUnpacked(store, key, (sink) => unpackHost({ part, disk, sink, signal })));
    }
    progress({ kind: 'end', step: 'copy', summary: `${items} files of ${disk.place}` });
  }
  return parts.map(({ part, key }) => ({ artifact: part, key, unpacked: required(found.get(key)) }));
}

function keyOf({ kind, name, digest }: HostPart, format: number): Digest {
  return digestOf(canonicalJson({ format, kind, name, digest }));
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('unreachable: a part of this machine was not copied');
  return value;
}
