import { hexOf } from '../base/digest.ts';
import type { HostBytes } from '../lock/locked-artifacts.ts';
import type { Artifact } from '../resolve/resolution.ts';

/** Lists what is in a vendor folder, as sha256sum(1) writes and checks it. */
export const VENDOR_INDEX = 'SHA256SUMS';

/** What a vendor folder holds. */
export type Vendorable = Artifact | HostBytes;

/** Where a kind of artifact lies in a vendor folder. A new kind is a row here and a case of `nameOf`. */
export const VENDOR_PLACES: Readonly<Record<Vendorable['kind'], VendorPlace>> = {
  deb: { folder: 'debs', ending: '.deb' },
  wheel: { folder: 'wheels', ending: '.whl' },
  host: { folder: 'host', ending: '' },
};

export interface VendorPlace {
  readonly folder: string;
  readonly ending: string;
}

const HEX_NAME = /^[0-9a-f]{64}$/;

/** Whether an artifact of this kind could have that name; files of a host have their digests as names. */
export function isVendoredName(kind: Vendorable['kind'], name: string): boolean {
  return kind === 'host' ? HEX_NAME.test(name) : name.endsWith(VENDOR_PLACES[kind].ending);
}

/** The longest name that every file system takes, in bytes; names of artifacts are ASCII. */
const LONGEST_NAME = 255;

/**
 * Where an artifact may lie in a vendor folder: under a readable name, or under its digest where another one has that name
 * or it would be too long.
 */
export function vendorPaths(artifact: Vendorable): readonly [string, ...string[]] {
  const { folder, ending } = VENDOR_PLACES[artifact.kind];
  const byDigest = `${folder}/${hexOf(artifact.digest)}${ending}`;
  if (artifact.kind === 'host') return [byDigest];
  const readable = `${nameOf(artifact)}${ending}`;
  return readable.length > LONGEST_NAME ? [byDigest] : [`${folder}/${readable}`, byDigest];
}

/** An artifact and the one path that it gets. */
export interface VendoredArtifact {
  readonly artifact: Vendorable;
  readonly path: string;
}

/** Gives each artifact its path, each file once. Names that differ in case alone are one name to some file systems. */
export function vendorPlan(artifacts: readonly Vendorable[]): readonly VendoredArtifact[] {
  const claims = new Map<string, Set<string>>();
  for (const artifact of artifacts) {
    const name = vendorPaths(artifact)[0].toLowerCase();
    claims.set(name, (claims.get(name) ?? new Set()).add(`${artifact.digest} ${vendorPaths(artifact)[0]}`));
  }
  const plan = artifacts.map((artifact) => {
    const [readable, byDigest = readable] = vendorPaths(artifact);
    return { artifact, path: claims.get(readable.toLowerCase())?.size === 1 ? readable : byDigest };
  });
  return [...new Map(plan.map((one) => [one.path, one])).values()];
}

/** `%3a` for the colon of an epoch is what apt writes in its own archives folder; a colon is no character of FAT's. */
function nameOf(artifact: Artifact): string {
  switch (artifact.kind) {
    case 'deb':
      return `${artifact.name}_${artifact.version.replaceAll(':', '%3a')}_${artifact.architecture}`;
    case 'wheel':
      return artifact.file.slice(0, -'.whl'.length);
  }
}
