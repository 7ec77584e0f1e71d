import { z } from 'zod';
import type { Architecture } from '../base/architecture.ts';
import type { DebArtifact, SignedIndex } from '../resolve/resolution.ts';
import { digest, natural, relativePath, text } from './lockfile-values.ts';

/** What was signed, of which every package is a part. */
export function signedIndex(): z.ZodType<SignedIndex> {
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

/** For one of these architectures, or for all. */
export function deb(architectures: readonly Architecture[]): z.ZodType<DebArtifact> {
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

function debName(): z.ZodType<string> {
  return text(/^[a-z0-9][a-z0-9+.-]{0,127}$/, 'the name of a Debian package');
}

function suite(): z.ZodType<string> {
  return text(/^[a-z0-9][a-z0-9.-]{0,63}(?:\/[a-z0-9.-]{1,63})?$/, 'the name of a suite');
}
