import type { Architecture } from '../base/architecture.ts';
import { canonicalJson, type Json } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';
import { digestOf } from '../base/digest.ts';
import type { DebArtifact, Interpreter, WheelArtifact } from '../resolve/resolution.ts';
import { hostFileJson } from './lockfile-text.ts';
import { targetEpoch, type LockedTarget, type Lockfile } from './lockfile.ts';
import { architectureDigest } from './recipe-inputs.ts';

/**
 * The digest of everything that decides an image's bytes: format, recipe, epoch, interpreter and artifacts.
 * Two lockfiles with equal keys give equal images; the signed indexes, resolvers, compilers, other architectures and the
 * diffID do not count.
 */
export function targetKey(lock: Lockfile, architecture: Architecture, target: LockedTarget): Digest {
  const { interpreter, debs, wheels, host } = target;
  return digestOf(
    canonicalJson({
      architecture,
      format: lock.format,
      recipe: architectureDigest(lock.recipe, architecture),
      name: lock.recipe.name,
      epoch: targetEpoch(lock, target).seconds,
      interpreter: interpreter === undefined ? undefined : interpreterJson(interpreter),
      debs: debs.map(artifactJson),
      wheels: wheels.map(artifactJson),
      host: host?.files.filter(({ kind }) => kind !== 'left_out').map(hostFileJson),
    }),
  );
}

function interpreterJson(interpreter: Interpreter): Json {
  const { version, path, glibc, sitePath, prefix, stdlib } = interpreter;
  return { version, path, glibc, sitePath, prefix, stdlib };
}

/** Of a wheel that was built its own digest is all: the same bytes are the same wheel, whatever they were made of. */
function artifactJson({ kind, name, version, digest }: DebArtifact | WheelArtifact): Json {
  return { kind, name, version, digest };
}
