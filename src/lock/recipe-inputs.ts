import type { Architecture } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import { digestOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import type { PerArchitecture, PythonRequirements, Recipe, RecipeFile, SandboxSettings } from '../recipe/recipe.ts';
import { identityOf, placeIdentity } from '../recipe/address-text.ts';
import type { NetworkSettings } from '../recipe/network.ts';
import type { DirectRequirement } from '../recipe/requirement.ts';
import type { LockedRecipe } from './lockfile.ts';

type Inputs = LockedRecipe['inputs'];

/** What a lockfile keeps of a recipe: all that decides what the image holds. Addresses are there as digests only. */
export function lockedRecipe(recipe: Recipe): LockedRecipe {
  const inputs = recipeInputs(recipe);
  return { name: recipe.name, digest: digestOf(canonicalJson(inputs)), inputs };
}

/** The digest of what a recipe says for one architecture: that there are images for others, too, changes none of them. */
export function architectureDigest({ inputs }: LockedRecipe, architecture: Architecture): Digest {
  return digestOf(canonicalJson({ ...inputs, architectures: [architecture] }));
}

/** The part of `inputs` that the choice of each architecture's artifacts depends on. */
export function resolutionInputs(inputs: Inputs): Inputs {
  return membersOf(inputs, RESOLVED);
}

/** The part of `inputs` that changes the image without changing the choice of artifacts. */
export function assemblyInputs(inputs: Inputs): Inputs {
  const others = Object.keys(inputs).filter((key) => !RESOLVED.includes(key) && key !== 'architectures');
  return membersOf(inputs, others);
}

const RESOLVED: readonly string[] = ['base', 'python', 'shared_objects'];

function membersOf(inputs: Inputs, keys: readonly string[]): Inputs {
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => keys.includes(key)));
}

function recipeInputs(recipe: Recipe): Inputs {
  return defined({
    name: recipe.name,
    architectures: recipe.architectures,
    base: baseInputs(recipe.base),
    shared_objects: recipe.sharedObjects === undefined ? undefined : { ...recipe.sharedObjects },
    allow_missing: recipe.allowMissing,
    python: recipe.python === undefined ? undefined : pythonInputs(recipe.python),
    files: Object.fromEntries(recipe.files.map((file) => [`/${file.path}`, fileInputs(file)])),
    trim: recipe.trim,
    sandbox: sandboxInputs(recipe.sandbox),
  });
}

function baseInputs(base: Recipe['base']): Json {
  if (base.kind === 'debian') {
    const { suite, components, packages, mirror } = base;
    return { debian: defined({ suite, components, packages, mirror: addressDigest(mirror) }) };
  }
  const { pythonPath, libraries } = base;
  const paths = libraries.map(({ path }) => (path === 'auto' ? path : perArchitecture(path)));
  return { host: { python_path: perArchitecture(pythonPath), python_lib_path: paths } };
}

/** One path where it is the same for all. */
function perArchitecture(paths: PerArchitecture): Json {
  const { amd64, arm64 } = paths;
  return amd64 !== undefined && amd64 === arm64 ? amd64 : defined({ amd64, arm64 });
}

function pythonInputs(python: PythonRequirements): Json {
  const { hashes = new Map<string, readonly Digest[]>(), cooldown } = python;
  return defined({
    requirements: python.lines,
    index_url: addressDigest(python.indexUrl),
    direct: listInputs(python.direct?.map(directInputs)),
    constraints: listInputs(python.constraints),
    hashes: hashes.size === 0 ? undefined : Object.fromEntries([...hashes].map(([name, all]) => [name, [...all]])),
    require_hashes: flagInput(python.requireHashes),
    extra_index_urls: listInputs(python.extraIndexUrls?.map((address) => digestOf(identityOf(address)))),
    find_links: listInputs(python.findLinks?.map(placeIdentity)),
    no_index: flagInput(python.noIndex),
    pre_releases: flagInput(python.preReleases),
    build_from_source: listInputs(python.buildFromSource),
    build_packages: listInputs(python.buildPackages),
    cooldown: cooldown === undefined ? undefined : { milliseconds: cooldown.ms, except: cooldown.except },
  });
}

function listInputs(list: readonly Json[] | undefined): readonly Json[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function flagInput(flag: boolean | undefined): true | undefined {
  return flag === true ? true : undefined;
}

function directInputs(direct: DirectRequirement): Json {
  const { name, extras, marker } = direct;
  const common = { name, extras: listInputs(extras), marker };
  if (direct.kind === 'git') {
    const { repository, revision, subdirectory } = direct;
    return defined({ ...common, repository: digestOf(identityOf(repository)), revision, subdirectory });
  }
  const { file, digest, subdirectory } = direct;
  const place = direct.kind === 'url' ? { url: digestOf(identityOf(direct.address)) } : { path: direct.path };
  return defined({ ...common, ...place, file, digest, subdirectory });
}

function fileInputs(file: RecipeFile): Json {
  return { mode: file.mode.toString(8).padStart(4, '0'), digest: digestOf(file.content) };
}

export function sandboxInputs(sandbox: SandboxSettings): Json {
  const { syscalls, network, limits, minimumTier, proc, preimport } = sandbox;
  return defined({
    syscalls: { profile: syscalls.profile, allow: syscalls.allow, deny: syscalls.deny },
    network: networkInputs(network),
    limits: {
      memory: limits.memoryBytes,
      processes: limits.processes,
      cpu: limits.cpuMs,
      wall: limits.wallMs,
      output: limits.outputBytes,
      tmp: limits.tmpBytes,
      open_files: limits.openFiles,
    },
    minimum_tier: minimumTier,
    proc: flagInput(proc),
    preimport: listInputs(preimport),
  });
}

function networkInputs(network: NetworkSettings): Json {
  if (network === 'none') return network;
  if (network.mode === 'proxy') return { mode: network.mode, allow: network.allow };
  const { http, https, socks5, noProxy } = network.proxies;
  const proxies = { http: addressDigest(http), https: addressDigest(https), socks5: addressDigest(socks5) };
  return defined({ mode: network.mode, ...proxies, no_proxy: listInputs(noProxy) });
}

/** Of the address without user and password, so that neither is in the lockfile and a new password is no drift. */
function addressDigest(address: string | undefined): Digest | undefined {
  return address === undefined ? undefined : digestOf(identityOf(address));
}

/** Without the members that are undefined: what is read back from a file has none. */
function defined(value: { readonly [key: string]: Json | undefined }): Inputs {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, member]])),
  );
}
