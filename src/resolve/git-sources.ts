import { digestOf, type Digest } from '../base/digest.ts';
import { noProgress } from '../base/progress.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { fillAddress, identityOf } from '../recipe/address-text.ts';
import { extrasText, type GitRequirement } from '../recipe/requirement.ts';
import type { BuildTools } from './build-requirements.ts';
import { readRepository } from './git-repository.ts';
import { markerHolds } from './marker-value.ts';
import type { PythonTarget } from './python-tags.ts';
import type { GitArtifact } from './resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import { acceptable, buildFor, type Release } from './source-resolver.ts';

/** A requirement for a package at a commit. Its name is known: the recipe had to allow it. */
export type NamedGit = GitRequirement & { readonly name: string };

/** A commit that was built, and the requirement by name that means just that. */
export interface BuiltCommit {
  readonly release: Release;
  readonly line: string;
}

export interface GitSourcesRequest {
  readonly requirements: readonly NamedGit[];
  readonly target: PythonTarget;
  readonly tools: BuildTools;
  readonly settings: ResolverSettings;
}

/**
 * Gets and builds the commits that requirements name, those excepted whose marker is not for the target.
 * Throws what `readRepository` and `buildSource` throw.
 */
export async function buildCommits(request: GitSourcesRequest): Promise<readonly BuiltCommit[]> {
  const { requirements, target, tools } = request;
  const needed = requirements.filter(({ marker }) => marker === undefined || markerHolds(marker, target));
  const commits: BuiltCommit[] = [];
  for (const requirement of needed) {
    const source = await lockedCommit(requirement, request);
    const facts = await tools.builder.inspect(source);
    const built = await buildFor(target, { source, facts }, tools);
    const { version } = built.wheel;
    const metadata = acceptable(source, built.wheel.metadata);
    const line = `${requirement.name}${extrasText(requirement.extras)}==${version}`;
    commits.push({ release: { source: { ...source, version }, facts, metadata, built }, line });
  }
  return commits;
}

/** The commit that is locked, as long as the requirement is the same; else what the repository says now. */
async function lockedCommit(requirement: NamedGit, request: GitSourcesRequest): Promise<GitArtifact> {
  const { tools, settings } = request;
  const { name, revision, subdirectory } = requirement;
  const repository = digestOf(identityOf(requirement.repository));
  const before = tools.previous.get(name)?.builtFrom?.source;
  const isSame = before?.kind === 'git' && before.repository === repository && before.revision === revision;
  const locked = isSame ? { ...before, subdirectory, version: '' } : undefined;
  if (locked !== undefined && (await tools.builder.has(locked))) return locked;
  const found = await fetchCommit({ ...requirement, revision: locked?.commit ?? revision }, tools.builder, settings);
  const { commit, tag, digest, size } = found;
  return {
    kind: 'git',
    name,
    version: '',
    repository,
    revision,
    commit,
    tag: locked?.tag ?? tag,
    subdirectory,
    digest,
    size,
  };
}

interface FetchedCommit {
  readonly commit: string;
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly size: number;
}

/** Brings the files of a commit here. Throws E_USAGE for a variable in its address that is not set. */
export async function fetchCommit(
  { name, repository, revision }: NamedGit,
  builder: BuildTools['builder'],
  settings: ResolverSettings,
): Promise<FetchedCommit> {
  const { text: address, missing } = fillAddress(repository, settings.environment);
  const [variable] = missing;
  if (variable !== undefined) {
    throw new RootcellarError('E_USAGE', `repository of \`${name}\`: its address needs the variable \`${variable}\``, {
      hint: `export ${variable}=…`,
    });
  }
  const { submodules, tag, ...files } = await readRepository({ name, address, revision }, settings);
  if (submodules.length > 0) {
    const message = `repository of \`${name}\`: its ${submodules.length} submodules are left out`;
    (settings.progress ?? noProgress)({ kind: 'warning', message, hint: 'use a source distribution if it needs them' });
  }
  return { commit: files.commit, tag, ...(await builder.keep(files)) };
}
