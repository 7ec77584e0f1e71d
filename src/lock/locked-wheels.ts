import { z } from 'zod';
import type { BuiltFrom, GitArtifact, SdistArtifact, WheelArtifact, WheelOrigin } from '../resolve/resolution.ts';
import { digest, natural, refuseRepeated, relativePath, text } from './lockfile-values.ts';

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

/** As it comes from an index, or built from a source that is locked with all that built it. */
export function builtWheel(): z.ZodType<WheelArtifact> {
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
