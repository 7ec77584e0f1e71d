import type { Architecture } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Json } from '../base/canonical-json.ts';
import { digestOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import type { PythonRequirements, Recipe, RecipeFile, SandboxSettings } from '../recipe/recipe.ts';
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

const RESOLVED: readonly string[] = ['base', 'python'];

function membersOf(inputs: Inputs, keys: readonly string[]): Inputs {
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => keys.includes(key)));
}

function recipeInputs(recipe: Recipe): Inputs {
  const { suite, components, packages, mirror } = recipe.base;
  return defined({
    name: recipe.name,
    architectures: recipe.architectures,
    base: { debian: defined({ suite, components, packages, mirror: addressDigest(mirror) }) },
    python: recipe.python === undefined ? undefined : pythonInputs(recipe.python),
    files: Object.fromEntries(recipe.files.map((file) => [`/${file.path}`, fileInputs(file)])),
    sandbox: sandboxInputs(recipe.sandbox),
  });
}

function pythonInputs(python: PythonRequirements): Json {
  return defined({ requirements: python.lines, index_url: addressDigest(python.indexUrl) });
}

function fileInputs(file: RecipeFile): Json {
  return { mode: file.mode.toString(8).padStart(4, '0'), digest: digestOf(file.content) };
}

function sandboxInputs(sandbox: SandboxSettings): Json {
  const { syscalls, network, limits, minimumTier } = sandbox;
  return {
    syscalls: { profile: syscalls.profile, allow: syscalls.allow, deny: syscalls.deny },
    network,
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
  };
}

/** Of the address without user and password, so that neither is in the lockfile and a new password is no drift. */
function addressDigest(address: string | undefined): Digest | undefined {
  if (address === undefined) return undefined;
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return digestOf(url.href);
}

/** Without the members that are undefined: what is read back from a file has none. */
function defined(value: { readonly [key: string]: Json | undefined }): Inputs {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, member]])),
  );
}
