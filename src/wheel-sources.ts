import { readPackedSource, readSourceArchive } from './assemble/source-archive.ts';
import { sourceTree, type SourceEntry, type SourceTree } from './assemble/source-tree.ts';
import { blaming } from './assemble/byte-source.ts';
import type { Digest } from './base/digest.ts';
import { packSource } from './pack/source-tar.ts';
import { resolverSettings } from './lock-recipe.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { locateArtifacts, type LocateRequest } from './resolve/locate.ts';
import type { SdistArtifact, SourceArtifact } from './resolve/resolution.ts';
import type { CommitFile, CommitFiles } from './resolve/wheel-builder.ts';
import { hasArtifact, openArtifact, verifyArtifact } from './store/artifacts.ts';
import { downloadArtifacts } from './store/download.ts';
import { putArtifact } from './store/put-artifact.ts';
import type { Store } from './store/store.ts';

/** Brings a source distribution into the store. Throws what downloads throw. */
export async function fetchSource(
  source: SdistArtifact,
  place: Pick<LocateRequest, 'recipe' | 'architecture'>,
  context: PipelineContext,
): Promise<void> {
  const { store, environment, signal, progress } = context;
  if (await hasArtifact(store, source.digest, source.size)) return;
  const located = await locateArtifacts({ ...place, artifacts: [source] }, await resolverSettings(context));
  await downloadArtifacts(store, located, { environment, signal, progress });
}

/** Keeps a commit as the one tar of its files. E_ARTIFACT_INVALID for names and links that leave the folder. */
export async function keepCommit(
  store: Store,
  { commit, time, files }: CommitFiles,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const named = files.map((file): readonly [string, SourceEntry] => [file.path, entryOf(file)]);
  const tree = blaming(`commit ${commit}`, () => sourceTree(named, time));
  return await putArtifact(store, packSource(tree));
}

function entryOf({ kind, content }: CommitFile): SourceEntry {
  if (kind === 'symlink') return { kind, target: Buffer.from(content).toString('utf8') };
  return { kind: 'file', content, isExecutable: kind === 'executable' };
}

/** The files of a source that the store has. E_ARTIFACT_INVALID, E_STORE_INVALID. */
export async function readSource(store: Store, source: SourceArtifact): Promise<SourceTree> {
  await verifyArtifact(store, source.digest);
  const bytes = await openArtifact(store, source.digest);
  try {
    if (source.kind === 'sdist') return await readSourceArchive(bytes, source.file);
    return await readPackedSource(bytes, `${source.name}.tar`);
  } finally {
    await bytes.close();
  }
}
