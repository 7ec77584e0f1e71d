import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import type { AptRoot } from './apt-root.ts';
import { libraryFiles } from './deb-files.ts';
import { archiveLibraries, libraryFilter, type Provider } from './library-index.ts';
import { candidatePackages } from './library-packages.ts';
import type { DebArtifact, SharedObject } from './resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';

export interface SharedObjectRequest {
  readonly sonames: readonly string[];
  readonly suite: string;
  readonly architecture: Architecture;
  /** What is locked without them. */
  readonly debs: readonly DebArtifact[];
  /** With its indexes. */
  readonly root: AptRoot;
  readonly settings: ResolverSettings;
}

/**
 * The Debian package of each soname. A package that is there anyway comes first, by its own list of files; then the one
 * that Debian's naming rules and our table suggest, if its own list of files has the library; then what the archive's
 * Contents index says, and of several the one with the name that the rules give.
 * E_LIBRARY_UNKNOWN names every soname without a package, and every one with several.
 */
export async function debianSharedObjects(request: SharedObjectRequest): Promise<readonly SharedObject[]> {
  const names = await packageNames(request);
  const found = new Map<string, Provider>();
  for (const soname of request.sonames) {
    const provider = await likelyProvider(soname, names, request);
    if (provider !== undefined) found.set(soname, provider);
  }
  const open = request.sonames.filter((soname) => !found.has(soname));
  const index = open.length === 0 ? new Map<string, readonly Provider[]>() : await contentsOf(request);
  const problems: Problem[] = [];
  for (const soname of open) {
    const chosen = chooseProvider(soname, index.get(soname) ?? [], request);
    if ('problem' in chosen) problems.push(chosen.problem);
    else found.set(soname, chosen.provider);
  }
  if (problems.length > 0) throw RootcellarError.ofProblems(problems);
  return [...found]
    .map(([soname, provider]) => ({ soname, path: provider.path, from: provider.package }))
    .toSorted((a, b) => byteOrder(a.soname, b.soname));
}

async function packageNames({ root }: SharedObjectRequest): Promise<ReadonlySet<string>> {
  const { stdout } = await root.run('apt-cache', ['pkgnames', 'lib']);
  return new Set(stdout.split('\n'));
}

async function likelyProvider(
  soname: string,
  names: ReadonlySet<string>,
  request: SharedObjectRequest,
): Promise<Provider | undefined> {
  const { suite, debs, architecture } = request;
  const present = new Set(debs.map(({ name }) => name));
  const candidates = candidatePackages(soname, suite).filter((name) => present.has(name) || names.has(name));
  const filter = libraryFilter(architecture);
  for (const name of candidates.toSorted((a, b) => Number(present.has(b)) - Number(present.has(a)))) {
    const files = await libraryFiles(name, request.root, request.settings);
    const at = files.map(filter).find((library) => library?.name === soname);
    if (at !== undefined) return { package: name, path: at.path };
  }
  return undefined;
}

async function contentsOf({ root, architecture, settings }: SharedObjectRequest): ReturnType<typeof archiveLibraries> {
  const detail = `which packages have libraries for ${architecture}`;
  settings.progress?.({ kind: 'advance', step: 'resolve', done: {}, detail });
  return await archiveLibraries(root, architecture);
}

type Choice = { readonly provider: Provider } | { readonly problem: Problem };

/** Of several, packages that are there already, else the one that is named after the soname. */
function chooseProvider(
  soname: string,
  providers: readonly Provider[],
  { debs, suite, architecture }: Pick<SharedObjectRequest, 'debs' | 'suite' | 'architecture'>,
): Choice {
  const inOrder = providers.toSorted((a, b) => byteOrder(a.package, b.package) || byteOrder(a.path, b.path));
  const present = inOrder.find((provider) => debs.some(({ name }) => name === provider.package));
  const candidates = candidatePackages(soname, suite);
  const named = candidates.flatMap((name) => inOrder.find((provider) => provider.package === name) ?? []);
  const names = [...new Set(inOrder.map((provider) => provider.package))];
  const provider = present ?? named[0] ?? (names.length === 1 ? inOrder[0] : undefined);
  if (provider !== undefined) return { provider };
  const place = `shared object \`${soname}\``;
  if (names.length === 0) {
    const message = `${place}: no package of suite \`${suite}\` has it for ${architecture}, where a loader looks`;
    return { problem: { code: 'E_LIBRARY_UNKNOWN', message, hint: `apt-file search /${soname}` } };
  }
  const message = `${place}: several packages have it for ${architecture}: ${names.join(', ')}`;
  const hint = `add the one that is meant to \`base.debian.packages\`, such as \`${names[0] ?? ''}\``;
  return { problem: { code: 'E_LIBRARY_UNKNOWN', message, hint } };
}
