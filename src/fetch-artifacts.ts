import pMap from 'p-map';
import type { Architecture } from './base/architecture.ts';
import { RootcellarError, type Problem } from './base/rootcellar-error.ts';
import { resolverSettings } from './lock-recipe.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { recipeWord, type Recipe } from './recipe/recipe.ts';
import type { Artifact } from './resolve/resolution.ts';
import { hasArtifact } from './store/artifacts.ts';
import { artifactTitle } from './store/download-failure.ts';
import type { VendoredState } from './store/vendor-folder.ts';

export interface FetchRequest {
  /** Says which mirror and which package index it wants. */
  readonly recipe: Recipe;
  readonly architecture: Architecture;
  readonly artifacts: readonly Artifact[];
}

/**
 * Sees to it that the store has all of the artifacts: those that it lacks come from the vendor folder, else from the
 * network. Offline, what is in neither is told in one error: E_OFFLINE names all that are missing, E_DIGEST_MISMATCH each
 * file of the vendor folder that has other bytes.
 */
export async function fetchArtifacts(request: FetchRequest, context: PipelineContext): Promise<void> {
  const absent: Artifact[] = [];
  for (const artifact of request.artifacts) {
    if (!(await hasArtifact(context.store, artifact.digest, artifact.size))) absent.push(artifact);
  }
  const vendored = await takeAll(absent, context);
  const left = absent.filter((artifact) => vendored.get(artifact)?.kind !== 'sound');
  if (left.length === 0) return;
  if (context.offline === true) throw offlineError(left, vendored, { request, context });
  for (const state of vendored.values()) {
    if (state.kind !== 'wrong') continue;
    const message = `\`${state.path}\`: ${state.fault}; it is not used`;
    context.progress({ kind: 'warning', message, hint: `rootcellar vendor ${recipeWord(request.recipe)}` });
  }
  await download({ ...request, artifacts: left }, context);
}

const COPIES = 2;

/** Brings those that the vendor folder has into the store. */
export async function takeAll(
  artifacts: readonly Artifact[],
  { store, signal, progress, vendor }: PipelineContext,
): Promise<ReadonlyMap<Artifact, VendoredState>> {
  if (vendor === undefined || artifacts.length === 0) return new Map();
  const { takeVendored } = await import('./store/vendor-folder.ts');
  progress({ kind: 'begin', step: 'vendor', title: `take ${artifacts.length} artifacts from ${vendor}` });
  const take = async (artifact: Artifact): Promise<readonly [Artifact, VendoredState]> => {
    signal.throwIfAborted();
    return [artifact, await takeVendored(vendor, artifact, { store, signal })];
  };
  const states = new Map(await pMap(artifacts, take, { concurrency: COPIES }));
  const taken = [...states.values()].filter(({ kind }) => kind === 'sound').length;
  progress({ kind: 'end', step: 'vendor', summary: `${taken} of ${artifacts.length} artifacts from \`${vendor}\`` });
  return states;
}

async function download(request: FetchRequest, context: PipelineContext): Promise<void> {
  const { store, environment, signal, progress } = context;
  const { locateArtifacts } = await import('./resolve/locate.ts');
  const { downloadArtifacts } = await import('./store/download.ts');
  const { readMachineIndexes } = await import('./resolve/python-index.ts');
  const settings = await resolverSettings(context);
  const located = await locateArtifacts(request, settings);
  const { authorities, trustedHosts: ofMachine } = await readMachineIndexes(settings);
  const trustedHosts = [...(request.recipe.python?.trustedHosts ?? []), ...ofMachine];
  await downloadArtifacts(store, located, { environment, signal, progress, trustedHosts, authorities });
}

function offlineError(
  left: readonly Artifact[],
  vendored: ReadonlyMap<Artifact, VendoredState>,
  { request, context }: { readonly request: FetchRequest; readonly context: PipelineContext },
): RootcellarError {
  const hint = `rootcellar vendor ${recipeWord(request.recipe)}, where there is a network`;
  const wrong = left.flatMap((artifact): Problem[] => {
    const state = vendored.get(artifact);
    if (state?.kind !== 'wrong') return [];
    return [
      { code: 'E_DIGEST_MISMATCH', message: `${artifactTitle(artifact)}: \`${state.path}\` ${state.fault}`, hint },
    ];
  });
  const missing = left.filter((artifact) => vendored.get(artifact)?.kind !== 'wrong');
  if (missing.length === 0) return RootcellarError.ofProblems(wrong);
  const where = context.vendor === undefined ? 'in the store' : `in the store or in \`${context.vendor}\``;
  const names = missing.map((artifact) => `\n  ${artifactTitle(artifact)}`).join('');
  const message = `${missing.length} artifacts for ${request.architecture} are not ${where}:${names}`;
  return RootcellarError.ofProblems([{ code: 'E_OFFLINE', message, hint }, ...wrong]);
}
