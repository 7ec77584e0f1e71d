import { z } from 'zod';
import { ARCHITECTURE_FACTS, ARCHITECTURES } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import { digestOf, isDigest } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { parseImagePath } from '../base/image-path.ts';
import { parseTime } from '../base/time-text.ts';
import { SONAME } from '../recipe/library-names.ts';
import type {
  BuiltFrom,
  DebArtifact,
  Epoch,
  GitArtifact,
  HostContent,
  HostFile,
  Interpreter,
  SdistArtifact,
  SharedObject,
  SignedIndex,
  WheelArtifact,
  WheelOrigin,
} from '../resolve/resolution.ts';
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

function signedIndex(): z.ZodType<SignedIndex> {
  return z
    .strictObject({
      archive: text(/^[A-Za-z0-9][A-Za-z0-9._ +-]{0,127}$/, 'the name of an archive'),
      suite: suite(),
      component: text(/^[a-z0-9][a-z0-9-]{0,63}(?:\/[a-z0-9-]{1,63})?$/, 'the name of a component'),
      in_release: digest(),
      packages: digest(),
      date: natural(),
    })
    .transform(({ in_release: inRelease, ...rest }): SignedIndex => ({ ...rest, inRelease }));
}

function deb(architectures: readonly Architecture[]): z.ZodType<DebArtifact> {
  return z
    .strictObject({
      name: debName(),
      version: text(/^[0-9A-Za-z.+:~-]{1,128}$/, 'a Debian version'),
      architecture: z.enum([...architectures, 'all']),
      suite: suite(),
      path: relativePath('.deb'),
      size: natural(),
      digest: digest(),
      depends: z.array(debName()),
    })
    .transform((artifact): DebArtifact => ({ kind: 'deb', ...artifact }));
}

const WHEEL = {
  name: text(/^[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?$/, 'a normalised name (PEP 503)'),
  version: text(/^[0-9A-Za-z.+!_-]{1,128}$/, 'a version'),
  file: text(/^[A-Za-z0-9][A-Za-z0-9._+!-]{0,250}\.whl$/, 'the file name of a wheel'),
  size: natural(),
  digest: digest(),
  uploaded: natural().optional(),
};

/** As it comes from an index. */
function wheel(): z.ZodType<WheelArtifact> {
  return z
    .strictObject({ ...WHEEL, from: wheelOrigin().optional() })
    .transform(({ uploaded, from, ...rest }): WheelArtifact => {
      return { kind: 'wheel', ...rest, uploaded, ...(from === undefined ? {} : { from }) };
    });
}

function builtWheel(): z.ZodType<WheelArtifact> {
  return z
    .strictObject({ ...WHEEL, from: wheelOrigin().optional(), built_from: builtFrom().optional() })
    .transform(({ uploaded, from, built_from: built, ...rest }): WheelArtifact => {
      const common = { kind: 'wheel', ...rest, uploaded, ...(from === undefined ? {} : { from }) } as const;
      if (built === undefined) return common;
      const { name, version } = common;
      return { ...common, builtFrom: { requirements: built.requirements, source: { ...built.source, name, version } } };
    });
}

interface LockedOrigin {
  readonly source: Omit<SdistArtifact, 'name' | 'version'> | Omit<GitArtifact, 'name' | 'version'>;
  readonly requirements: BuiltFrom['requirements'];
}

function builtFrom(): z.ZodType<LockedOrigin> {
  const requirements = z.array(wheel()).superRefine(refuseRepeated);
  const common = { size: natural(), digest: digest(), requirements };
  const sdist = z
    .strictObject({
      ...common,
      file: text(/^[A-Za-z0-9][A-Za-z0-9._+!-]{0,240}\.(?:tar\.gz|tgz|zip)$/, 'the file name of a source distribution'),
      uploaded: natural().optional(),
    })
    .transform(({ requirements: wheels, uploaded, ...rest }): LockedOrigin => {
      return { source: { kind: 'sdist', ...rest, uploaded }, requirements: wheels };
    });
  const git = z
    .strictObject({
      ...common,
      repository: digest(),
      revision: text(/^[^\p{Cc}\p{Cs}\p{Z}]{1,256}$/u, 'a branch, tag or commit').optional(),
      commit: text(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/, 'the full id of a commit'),
      tag: text(/^[0-9A-Za-z][0-9A-Za-z._+/-]{0,127}$/, 'a tag').optional(),
      subdirectory: relativePath('').optional(),
    })
    .transform(({ requirements: wheels, revision, tag, subdirectory, ...rest }): LockedOrigin => {
      return { source: { kind: 'git', ...rest, revision, tag, subdirectory }, requirements: wheels };
    });
  return z.union([sdist, git]);
}

function wheelOrigin(): z.ZodType<WheelOrigin> {
  return z.union([
    z.strictObject({ url: digest() }),
    z.strictObject({ path: relativePath('.whl') }),
    z
      .strictObject({ find_links: z.union([digest(), z.literal('.'), relativePath('')]) })
      .transform(({ find_links: findLinks }): WheelOrigin => ({ findLinks })),
  ]);
}

function pointInTime(): z.ZodType<number> {
  return z.string().transform((value, context): number => {
    const seconds = parseTime(value);
    if (seconds !== undefined) return seconds;
    context.issues.push({ code: 'custom', input: value, message: 'must be a time such as `2026-11-14T03:58:38Z`' });
    return z.NEVER;
  });
}

function hostContent(files: readonly HostFile[], folders: readonly string[]): HostContent {
  return { files: files.toSorted((a, b) => byteOrder(a.path, b.path)), folders: folders.toSorted(byteOrder) };
}

function hostFile(): z.ZodType<HostFile> {
  const path = absolutePath();
  return z.discriminatedUnion('kind', [
    z
      .strictObject({
        kind: z.literal('file'),
        path,
        mode: z.enum(['0644', '0755']),
        size: natural(),
        digest: digest(),
      })
      .transform(({ mode, ...rest }): HostFile => ({ ...rest, mode: Number.parseInt(mode, 8) })),
    z.strictObject({ kind: z.literal('link'), path, target: line() }),
    z.strictObject({ kind: z.literal('folder'), path }),
    z.strictObject({ kind: z.literal('left_out'), path }),
  ]);
}

function refuseRepeatedPath(files: readonly { readonly path: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  const repeated = files.findIndex(({ path }) => seen.size === seen.add(path).size);
  if (repeated < 0) return;
  context.addIssue({ code: 'custom', path: [repeated, 'path'], message: 'is there twice' });
}

function sharedObject(): z.ZodType<SharedObject> {
  return z.strictObject({ soname: text(SONAME, 'the soname of a library'), path: absolutePath(), from: line() });
}

function refuseRepeated(artifacts: readonly { readonly name: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  const repeated = artifacts.findIndex(({ name }) => seen.size === seen.add(name).size);
  if (repeated < 0) return;
  context.addIssue({ code: 'custom', path: [repeated, 'name'], message: 'is there twice' });
}

function debName(): z.ZodType<string> {
  return text(/^[a-z0-9][a-z0-9+.-]{0,127}$/, 'the name of a Debian package');
}

function suite(): z.ZodType<string> {
  return text(/^[a-z0-9][a-z0-9.-]{0,63}(?:\/[a-z0-9.-]{1,63})?$/, 'the name of a suite');
}

function natural(): z.ZodType<number> {
  return z.int('must be a whole number').min(0, 'must not be negative');
}

function digest(): z.ZodType<Digest> {
  return z.string().transform((value, context): Digest => {
    if (isDigest(value)) return value;
    context.issues.push({ code: 'custom', input: value, message: 'must be `sha256:` and 64 lower-case hex digits' });
    return z.NEVER;
  });
}

function absolutePath(): z.ZodType<string> {
  return line().refine((path) => `/${parseImagePath(path) ?? ''}` === path, 'must be an absolute path without `..`');
}

function relativePath(ending: string): z.ZodType<string> {
  return line().refine(
    (path) => path.endsWith(ending) && parseImagePath(path) === path && !path.includes('\\') && !path.includes(':/'),
    `must be a relative path without \`..\` that ends in \`${ending}\``,
  );
}

function line(): z.ZodType<string> {
  return text(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,1024}$/u, 'one line of text');
}

function text(pattern: RegExp, what: string): z.ZodType<string> {
  return z.string().regex(pattern, `must be ${what}`);
}
