import { createHash } from 'node:crypto';
import type { Contents, FileEntry } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import { readableJson, type Json } from '../base/canonical-json.ts';
import { hexOf } from '../base/digest.ts';
import type { BillPackage, ImageBill } from './image-bill.ts';
import { licenceReferences } from './licences.ts';
import { uuidOf } from './sbom.ts';

const IMAGE = 'SPDXRef-image';
const NONE = 'NOASSERTION';

export interface SpdxOptions {
  /** With contents, the files of each package are listed with SHA-1 (which the format demands) and SHA-256. */
  readonly contents?: Contents | undefined;
}

/** A bill as SPDX 2.3 JSON, the same bytes for the same image. Source: SPDX specification 2.3, clauses 6 to 11. */
export function formatSpdx(bill: ImageBill, { contents }: SpdxOptions = {}): string {
  const ids = new Map(bill.packages.map((one) => [one.purl, idOf(one)]));
  const files = contents === undefined ? [] : filesOf(bill, contents);
  const document: Json = {
    spdxVersion: 'SPDX-2.3',
    SPDXID: 'SPDXRef-DOCUMENT',
    dataLicense: 'CC0-1.0',
    name: bill.name,
    documentNamespace: `urn:uuid:${uuidOf(bill.diffId)}`,
    creationInfo: { created: timeOf(bill.epoch), creators: ['Tool: rootcellar'] },
    packages: [imageJson(bill), ...bill.packages.map((one) => packageJson(one, files))],
    files: contents === undefined ? undefined : files.map(fileJson),
    hasExtractedLicensingInfos: referencesJson(bill),
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', IMAGE),
      ...bill.packages.map((one) => relation(IMAGE, 'CONTAINS', idOf(one))),
      ...bill.packages.flatMap((one) => {
        return one.dependsOn.flatMap((purl) => relation(idOf(one), 'DEPENDS_ON', ids.get(purl) ?? NONE));
      }),
      ...files.map(({ owner, id }) => relation(owner, 'CONTAINS', id)),
    ],
  };
  return readableJson(document, 1);
}

/** Without milliseconds, as clause 6.9 writes it. */
function timeOf(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
}

function idOf({ kind, name }: BillPackage): string {
  return `SPDXRef-${kind}-${name.replaceAll('+', '.plus.').replaceAll(/[^A-Za-z0-9.-]/g, '-')}`;
}

function relation(from: string, type: string, to: string): { readonly [key: string]: Json } {
  return { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
}

function imageJson({ name, diffId }: ImageBill): Json {
  return {
    SPDXID: IMAGE,
    name,
    versionInfo: diffId,
    primaryPackagePurpose: 'CONTAINER',
    downloadLocation: NONE,
    filesAnalyzed: false,
    checksums: [{ algorithm: 'SHA256', checksumValue: hexOf(diffId) }],
    licenseConcluded: NONE,
    licenseDeclared: NONE,
    copyrightText: NONE,
  };
}

function packageJson(one: BillPackage, files: readonly BillFile[]): Json {
  const own = files.filter(({ owner }) => owner === idOf(one));
  return {
    SPDXID: idOf(one),
    name: one.name,
    versionInfo: one.version,
    downloadLocation: NONE,
    filesAnalyzed: own.length > 0,
    packageVerificationCode: own.length === 0 ? undefined : { packageVerificationCodeValue: verificationCode(own) },
    licenseInfoFromFiles: own.length === 0 ? undefined : [NONE],
    checksums: one.digest === undefined ? undefined : [{ algorithm: 'SHA256', checksumValue: hexOf(one.digest) }],
    licenseConcluded: NONE,
    licenseDeclared: one.licence ?? NONE,
    copyrightText: NONE,
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: one.purl }],
  };
}

/** Source: SPDX 2.3, clause 7.9. */
function verificationCode(files: readonly BillFile[]): string {
  const sums = files.map(({ sha1 }) => sha1).toSorted(byteOrder);
  return createHash('sha1').update(sums.join('')).digest('hex');
}

interface BillFile {
  readonly owner: string;
  readonly id: string;
  readonly entry: FileEntry;
  readonly sha1: string;
}

function filesOf({ packages }: ImageBill, contents: Contents): readonly BillFile[] {
  return packages.flatMap((one) =>
    one.files.map((entry): BillFile => {
      const hash = createHash('sha1');
      for (const chunk of contents.chunks(entry.digest, entry.size)) hash.update(chunk);
      const id = createHash('sha256').update(entry.path).digest('hex').slice(0, 24);
      return { owner: idOf(one), id: `SPDXRef-file-${id}`, entry, sha1: hash.digest('hex') };
    }),
  );
}

function fileJson({ id, entry, sha1 }: BillFile): Json {
  return {
    SPDXID: id,
    fileName: `./${entry.path}`,
    checksums: [
      { algorithm: 'SHA1', checksumValue: sha1 },
      { algorithm: 'SHA256', checksumValue: hexOf(entry.digest) },
    ],
    licenseConcluded: NONE,
    licenseInfoInFiles: [NONE],
    copyrightText: NONE,
  };
}

function referencesJson({ packages }: ImageBill): Json | undefined {
  const owners = new Map<string, string>();
  for (const { name, licence = '' } of packages) {
    for (const reference of licenceReferences(licence)) if (!owners.has(reference)) owners.set(reference, name);
  }
  if (owners.size === 0) return undefined;
  return [...owners].map(([reference, name]) => ({
    licenseId: reference,
    name: reference.slice('LicenseRef-'.length),
    extractedText: `See /usr/share/doc/${name}/copyright in the image.`,
  }));
}
