import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Json } from '../base/canonical-json.ts';
import { readableJson } from '../base/canonical-json.ts';
import type { Digest } from '../base/digest.ts';
import { digestFromHex, hexOf } from '../base/digest.ts';
import type { Artifact, DebArtifact, WheelArtifact } from '../resolve/resolution.ts';

/** What a software bill of materials is made of. */
export interface SbomSubject {
  readonly name: string;
  /** Identifies the content; the serial number is made of it, so that equal images have equal bills. */
  readonly key: Digest;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly artifacts: readonly Artifact[];
  /** How many files of a package are left out of the image, by `name version`. */
  readonly trimmed?: ReadonlyMap<string, number> | undefined;
}

/**
 * A bill of materials as CycloneDX 1.6 JSON, the same bytes for the same subject.
 * Source: CycloneDX 1.6 JSON reference; package URLs: purl specification, types `deb` and `pypi`.
 */
export function formatSbom(subject: SbomSubject): string {
  const bill: Json = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(subject.key)}`,
    version: 1,
    metadata: {
      timestamp: new Date(subject.epoch * 1000).toISOString(),
      component: { type: 'container', name: subject.name, 'bom-ref': subject.name },
    },
    components: subject.artifacts.map((artifact) => componentOf(artifact, subject)),
  };
  return readableJson(bill, 1);
}

/** The digests of artifacts that a bill says, by `deb NAME VERSION` or `wheel NAME VERSION`; none where it is no bill of ours. */
export function billDigests(text: string): ReadonlyMap<string, Digest> {
  const bill = BILL.safeParse(parsed(text));
  const digests = new Map<string, Digest>();
  for (const { name, version, purl, hashes } of bill.success ? bill.data.components : []) {
    const digest = digestFromHex(hashes[0]?.content ?? '');
    if (digest !== undefined)
      digests.set(`${purl.startsWith('pkg:deb/') ? 'deb' : 'wheel'} ${name} ${version}`, digest);
  }
  return digests;
}

const BILL = z.object({
  components: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      purl: z.string(),
      hashes: z.array(z.object({ content: z.string() })),
    }),
  ),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function componentOf(artifact: Artifact, { trimmed }: SbomSubject): Json {
  const purl = artifact.kind === 'deb' ? debPurl(artifact) : wheelPurl(artifact);
  const hashes = [{ alg: 'SHA-256', content: hexOf(artifact.digest) }];
  const files = trimmed?.get(`${artifact.name} ${artifact.version}`);
  const properties = files === undefined ? undefined : [{ name: 'rootcellar:trimmed-files', value: String(files) }];
  return { type: 'library', 'bom-ref': purl, name: artifact.name, version: artifact.version, purl, hashes, properties };
}

type DebName = Pick<DebArtifact, 'name' | 'version' | 'suite'> & { readonly architecture: string };

/** Without `distro` where the suite is unknown. */
export function debPurl({ name, version, architecture, suite }: DebName): string {
  const distro = suite === '' ? '' : `&distro=${purlText(suite)}`;
  return `pkg:deb/debian/${purlText(name)}@${purlText(version)}?arch=${architecture}${distro}`;
}

export function wheelPurl({ name, version }: Pick<WheelArtifact, 'name' | 'version'>): string {
  return `pkg:pypi/${purlText(name)}@${purlText(version)}`;
}

/** Percent-encodes all but a colon, which the specification leaves as it is. */
function purlText(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}

/** A name-based UUID of a digest. Source: RFC 9562, section 5.8 (version 8, a hash of the user's choice). */
export function uuidOf(key: Digest): string {
  const bytes = createHash('sha256').update('rootcellar sbom').update(key).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
