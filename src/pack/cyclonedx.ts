import { readableJson, type Json } from '../base/canonical-json.ts';
import { hexOf } from '../base/digest.ts';
import type { BillPackage, ImageBill } from './image-bill.ts';
import { uuidOf } from './sbom.ts';

/**
 * A bill as CycloneDX 1.6 JSON, the same bytes for the same image; with licences and dependencies, which the one inside an
 * image does not have. Source: CycloneDX 1.6 JSON reference.
 */
export function formatCycloneDx(bill: ImageBill): string {
  const hashes = [{ alg: 'SHA-256', content: hexOf(bill.diffId) }];
  const document: Json = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(bill.diffId)}`,
    version: 1,
    metadata: {
      timestamp: new Date(bill.epoch * 1000).toISOString(),
      component: { type: 'container', name: bill.name, 'bom-ref': bill.name, version: bill.diffId, hashes },
    },
    components: bill.packages.map(componentOf),
    dependencies: [
      { ref: bill.name, dependsOn: bill.packages.map(({ purl }) => purl) },
      ...bill.packages.map(({ purl, dependsOn }) => ({ ref: purl, dependsOn })),
    ],
  };
  return readableJson(document, 1);
}

function componentOf({ name, version, purl, digest, licence }: BillPackage): Json {
  const licenses = licence === undefined ? undefined : [{ expression: licence }];
  const hashes = digest === undefined ? undefined : [{ alg: 'SHA-256', content: hexOf(digest) }];
  return { type: 'library', 'bom-ref': purl, name, version, purl, hashes, licenses };
}
