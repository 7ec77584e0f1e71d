import { z } from 'zod';
import { ARCHITECTURE_FACTS, ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestOf } from '../base/digest.ts';
import { SONAME } from '../recipe/library-names.ts';
import type { Epoch, Interpreter, SharedObject } from '../resolve/resolution.ts';
import { deb, signedIndex } from './locked-debs.ts';
import { hostContent, hostFile, refuseRepeatedPath } from './locked-host-files.ts';
import { builtWheel } from './locked-wheels.ts';
import { absolutePath, digest, line, natural, pointInTime, refuseRepeated, text } from './lockfile-values.ts';
import { FORMAT_VERSION, LOCK_VERSION } from './lockfile.ts';
import type { LockedRecipe, LockedTarget, Lockfile } from './lockfile.ts';

/** What a lockfile must look like. Nothing in it can name a host, or a path that leaves its root. */
export function lockfileSchema(): z.ZodType<Lockfile> {
  return z
    .strictObject({
      version: z.literal(LOCK_VERSION),
      format: z.int().min(1).max(FORMAT_VERSION),
      recipe: lockedRecipe(),
      epoch: epochOf(),
      resolvers: z.array(z.strictObject({ name: z.enum(['apt', 'uv', 'pip']), version: line() })),
      targets: z.strictObject({
        'linux/amd64': lockedTarget('amd64').optional(),
        'linux/arm64': lockedTarget('arm64').optional(),
      }),
      differences: z.array(line()).optional(),
      cooldown: z.strictObject({ cut_off: pointInTime() }).optional(),
    })
    .transform(({ format, recipe, epoch, resolvers, targets, differences, cooldown }, context): Lockfile => {
      const found = ARCHITECTURES.flatMap((architecture): [Architecture, LockedTarget][] => {
        const target = targets[ARCHITECTURE_FACTS[architecture].platform];
        return target === undefined ? [] : [[architecture, target]];
      });
      if (found.length === 0) context.addIssue({ code: 'custom', path: ['targets'], message: 'must not be empty' });
      return {
        format,
        recipe,
        epoch,
        resolvers,
        targets: new Map(found),
        ...(differences === undefined ? {} : { differences }),
        ...(cooldown === undefined ? {} : { cutOff: cooldown.cut_off }),
      };
    });
}

function lockedRecipe(): z.ZodType<LockedRecipe> {
  return z
    .strictObject({
      name: text(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'the name of a recipe'),
      digest: digest(),
      inputs: z.record(z.string(), z.json()),
    })
    .refine((recipe) => digestOf(canonicalJson(recipe.inputs)) === recipe.digest, {
      path: ['digest'],
      error: 'must be the digest of `inputs`',
    });
}

function lockedTarget(architecture: Architecture): z.ZodType<LockedTarget> {
  return z
    .strictObject({
      interpreter: interpreter().optional(),
      indexes: z.array(signedIndex()),
      epoch: epochOf().optional(),
      debs: z.array(deb([architecture])).superRefine(refuseRepeated),
      compilers: z
        .array(deb(ARCHITECTURES.filter((other) => other !== architecture)))
        .superRefine(refuseRepeated)
        .optional(),
      wheels: z.array(builtWheel()).superRefine(refuseRepeated),
      build_debs: z
        .array(deb([architecture]))
        .superRefine(refuseRepeated)
        .optional(),
      shared_objects: z.array(sharedObject()).min(1).optional(),
      host_files: z.array(hostFile()).superRefine(refuseRepeatedPath).optional(),
      host_folders: z.array(absolutePath()).optional(),
      diff_id: digest().optional(),
    })
    .transform((read): LockedTarget => {
      const { compilers, build_debs: buildDebs, host_files: files, host_folders: folders = [], ...others } = read;
      const { shared_objects: sharedObjects, diff_id: diffId, ...target } = others;
      return {
        ...target,
        interpreter: target.interpreter,
        debs: inNameOrder(target.debs),
        wheels: inNameOrder(target.wheels),
        ...(buildDebs === undefined ? {} : { buildDebs: inNameOrder(buildDebs) }),
        ...(compilers === undefined ? {} : { compilers: inNameOrder(compilers) }),
        ...(sharedObjects === undefined ? {} : { sharedObjects }),
        ...(files === undefined ? {} : { host: hostContent(files, folders) }),
        diffId,
      };
    });
}

function inNameOrder<T extends { readonly name: string }>(artifacts: readonly T[]): readonly T[] {
  return artifacts.toSorted((a, b) => byteOrder(a.name, b.name));
}

function epochOf(): z.ZodType<Epoch> {
  return z.strictObject({ seconds: natural(), from: line() });
}

function interpreter(): z.ZodType<Interpreter> {
  return z
    .strictObject({
      version: text(/^\d+\.\d+(?:\.\d+)?(?:[a-z]+\d+)?$/, 'a Python version'),
      glibc: text(/^\d+(?:\.\d+)+$/, 'a glibc version'),
      path: absolutePath(),
      site_path: absolutePath(),
      prefix: absolutePath(),
      stdlib: absolutePath().optional(),
    })
    .transform(({ site_path: sitePath, ...rest }): Interpreter => ({ ...rest, sitePath }));
}

function sharedObject(): z.ZodType<SharedObject> {
  return z.strictObject({ soname: text(SONAME, 'the soname of a library'), path: absolutePath(), from: line() });
}
