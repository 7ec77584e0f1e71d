import { dirname } from 'node:path';
import pMap from 'p-map';
import type { Architecture } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import { RootcellarError, type Problem } from '../base/rootcellar-error.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { DEBIAN_KEYRING, readMachineApt, type MachineApt } from './apt-root.ts';
import { directFile } from './direct-files.ts';
import { sourcesForSuite } from './debian-sources.ts';
import { indexPlan } from './index-plan.ts';
import { withCredentials } from './index-settings.ts';
import { netrcLogin } from './netrc.ts';
import { withPackageIndex, type PackageIndex } from './package-index.ts';
import { readMachineIndexes } from './python-index.ts';
import type { DebArtifact, LocatedArtifact, SdistArtifact, WheelArtifact, WheelOrigin } from './resolution.ts';
import type { ResolverSettings } from './resolver-settings.ts';
import type { IndexFile } from './simple-page.ts';

export interface LocateRequest {
  /** Says which mirror and which package index it wants. */
  readonly recipe: Recipe;
  readonly architecture: Architecture;
  /** Locked artifacts that are not in the store yet. */
  readonly artifacts: readonly LocatedArtifact['artifact'][];
}

/** What package indexes have. */
type IndexArtifact = WheelArtifact | SdistArtifact;

const CONNECTIONS = 8;

/**
 * Where this machine gets locked artifacts from: its own apt sources and package indexes, or the recipe's. In the order
 * of `artifacts`. Asks the package indexes, not the archives. Throws E_ARCHIVE_UNKNOWN, E_INDEX_UNKNOWN, E_DOWNLOAD, and
 * E_DOWNLOAD_GONE for all wheels that the indexes do not have any more.
 */
export async function locateArtifacts(
  request: LocateRequest,
  settings: ResolverSettings,
): Promise<readonly LocatedArtifact[]> {
  const debs = request.artifacts.filter((artifact) => artifact.kind === 'deb');
  const wheels = request.artifacts.filter((artifact) => artifact.kind !== 'deb');
  const located = [...(await locateDebs(debs, request, settings)), ...(await locateWheels(wheels, request, settings))];
  const byArtifact = new Map(located.map((one) => [one.artifact, one]));
  return request.artifacts.flatMap((artifact) => byArtifact.get(artifact) ?? []);
}

async function locateDebs(
  debs: readonly DebArtifact[],
  { recipe, architecture }: LocateRequest,
  settings: ResolverSettings,
): Promise<readonly LocatedArtifact[]> {
  if (debs.length === 0) return [];
  const { base } = recipe;
  if (base.kind === 'host') throw new Error('unreachable: Debian packages of an image whose base is a host');
  const machine = await readMachineApt(settings);
  const { suite, components, mirror } = base;
  const wanted = {
    suite,
    components,
    mirror,
    architecture,
    hostCodename: machine.codename,
    defaultKeyring: DEBIAN_KEYRING,
  };
  const archives = archivesBySuite(machine, wanted);
  return debs.map((artifact) => {
    const urls = (archives.get(artifact.suite) ?? []).map((archive) => `${archive}/${encodedPath(artifact.path)}`);
    if (urls.length > 0) return { artifact, urls };
    throw new RootcellarError(
      'E_ARCHIVE_UNKNOWN',
      `debian package \`${artifact.name}\`: apt has no source for suite \`${artifact.suite}\``,
      {
        hint: 'add the suite to /etc/apt/sources.list.d, or run `rootcellar lock --upgrade`',
      },
    );
  });
}

/** Addresses of archives without a slash at the end, with apt's credentials for them. */
function archivesBySuite(
  machine: MachineApt,
  wanted: Parameters<typeof sourcesForSuite>[1],
): ReadonlyMap<string, readonly string[]> {
  const archives = new Map<string, readonly string[]>();
  for (const { suites, uris } of sourcesForSuite(machine.entries, wanted)) {
    const usable = uris.filter((uri) => /^(?:https?|file):\/?/.test(uri)).map((uri) => authorised(uri, machine.auth));
    for (const suite of suites) archives.set(suite, [...new Set([...(archives.get(suite) ?? []), ...usable])]);
  }
  return archives;
}

function authorised(uri: string, auth: string): string {
  const login = URL.canParse(uri) ? netrcLogin(auth, new URL(uri).hostname) : undefined;
  return login === undefined ? uri : withCredentials(uri, login.username, login.password).replace(/\/$/, '');
}

function encodedPath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

async function locateWheels(
  wheels: readonly IndexArtifact[],
  { recipe }: LocateRequest,
  settings: ResolverSettings,
): Promise<readonly LocatedArtifact[]> {
  if (wheels.length === 0) return [];
  const machine = await readMachineIndexes(settings);
  const folder = dirname(recipe.file);
  const { python } = recipe;
  const direct = (python?.direct ?? []).flatMap((one) => directFile(one, { settings, folder })?.file ?? []);
  const needed = wheels.some((one) => {
    const from = originOf(one);
    return from === undefined || 'findLinks' in from;
  });
  const plan = needed
    ? await indexPlan(python ?? { indexUrl: undefined }, { machine, settings, folder })
    : { indexes: [], links: [], trustedHosts: [] };
  const located = await withPackageIndex({ plan, machine, settings }, (index) =>
    pMap(wheels, (wheel) => locateWheel(wheel, direct, { index, netrc: machine.netrc }), { concurrency: CONNECTIONS }),
  );
  const gone = located.filter(({ urls }) => urls.length === 0).map(({ artifact }) => goneProblem(artifact));
  if (gone.length > 0) throw RootcellarError.ofProblems(gone);
  return located;
}

async function locateWheel(
  artifact: IndexArtifact,
  direct: readonly IndexFile[],
  { index, netrc }: { readonly index: PackageIndex; readonly netrc: string | undefined },
): Promise<LocatedArtifact> {
  const from = originOf(artifact);
  const isDirect = from !== undefined && !('findLinks' in from);
  const files = isDirect ? direct : (await index.project(artifact.name)).files;
  const same = files.filter(
    (file) =>
      file.file === artifact.file &&
      (file.digest ?? artifact.digest) === artifact.digest &&
      (artifact.kind === 'sdist' || canonicalJson(file.from ?? {}) === canonicalJson(from ?? {})),
  );
  return { artifact, urls: [...new Set(same.map(({ url }) => authorised(url, netrc ?? '')))] };
}

function originOf(artifact: IndexArtifact): WheelOrigin | undefined {
  return artifact.kind === 'wheel' ? artifact.from : undefined;
}

function goneProblem({ name, version }: LocatedArtifact['artifact']): Problem {
  return {
    code: 'E_DOWNLOAD_GONE',
    message: `python package \`${name}\`: the package index does not have the locked file of version ${version} any more`,
    hint: `run \`rootcellar lock --upgrade-package ${name}\``,
  };
}
