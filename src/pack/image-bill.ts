import { parseControl, parseRelations } from '../assemble/deb-control.ts';
import { readInventory, type Inventory, type InventoryPackage } from '../assemble/package-inventory.ts';
import { textAt } from '../assemble/tree-text.ts';
import type { Contents, FileEntry, Tree } from '../assemble/tree.ts';
import { byteOrder } from '../base/byte-order.ts';
import type { Digest } from '../base/digest.ts';
import { debianLicence, wheelLicence } from './licences.ts';
import { billDigests, debPurl, wheelPurl } from './sbom.ts';

/** What bills of materials in any format tell of an image. */
export interface ImageBill {
  readonly name: string;
  readonly diffId: Digest;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly packages: readonly BillPackage[];
}

export interface BillPackage {
  readonly kind: 'deb' | 'wheel';
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** Of the artifact, where the image tells. */
  readonly digest: Digest | undefined;
  /** An expression of SPDX. */
  readonly licence: string | undefined;
  /** Package URLs of what it depends on, as far as the image has it, in byte order. */
  readonly dependsOn: readonly string[];
  /** In byte order of path. */
  readonly files: readonly FileEntry[];
}

export interface BillSubject {
  readonly name: string;
  readonly diffId: Digest;
  readonly epoch: number;
  readonly tree: Tree;
  readonly contents: Contents;
}

/** The bill of any image, by what lies in it. */
export function imageBill({ name, diffId, epoch, tree, contents }: BillSubject): ImageBill {
  const inventory = readInventory(tree, contents);
  const digests = billDigests(textAt(tree, contents, '.rootcellar/sbom.cdx.json') ?? '');
  const release = textAt(tree, contents, 'etc/os-release') ?? textAt(tree, contents, 'usr/lib/os-release') ?? '';
  const suite = /^VERSION_CODENAME="?([a-z0-9.-]+)/m.exec(release)?.[1] ?? '';
  const purls = new Map(inventory.packages.map((one) => [`${one.kind} ${one.name}`, purlOf(one, suite)]));
  const files = filesByOwner(tree, inventory);
  const packages = inventory.packages.map((one): BillPackage => {
    const { kind, name: own, version, metadata } = one;
    const copyright = kind === 'deb' ? textAt(tree, contents, `usr/share/doc/${own}/copyright`) : undefined;
    return {
      kind,
      name: own,
      version,
      purl: purls.get(`${kind} ${own}`) ?? '',
      digest: digests.get(`${kind} ${own} ${version}`),
      licence: kind === 'deb' ? debianLicence(copyright ?? '') : wheelLicence(metadata),
      dependsOn: dependenciesOf(one)
        .flatMap((wanted) => purls.get(`${kind} ${wanted}`) ?? [])
        .toSorted(byteOrder),
      files: files.get(own) ?? [],
    };
  });
  return { name, diffId, epoch, packages };
}

function filesByOwner(tree: Tree, inventory: Inventory): ReadonlyMap<string, readonly FileEntry[]> {
  const files = new Map<string, FileEntry[]>();
  for (const entry of tree.values()) {
    const owner = entry.kind === 'file' ? inventory.ownerOf(entry) : undefined;
    if (owner === undefined || entry.kind !== 'file') continue;
    const known = files.get(owner);
    if (known === undefined) files.set(owner, [entry]);
    else known.push(entry);
  }
  return files;
}

function purlOf({ kind, name, version, architecture }: InventoryPackage, suite: string): string {
  return kind === 'deb'
    ? debPurl({ name, version, architecture: architecture ?? 'all', suite })
    : wheelPurl({ name, version });
}

/** Names, each once. Of alternatives in a .deb's field, all: those that the image has count. */
function dependenciesOf({ kind, metadata }: InventoryPackage): readonly string[] {
  if (kind === 'deb') {
    const fields = parseControl(metadata);
    const field = `${fields.get('pre-depends') ?? ''},${fields.get('depends') ?? ''}`.replaceAll(/[|\n]/g, (one) =>
      one === '|' ? ',' : ' ',
    );
    return [...new Set(parseRelations(field).map(({ name }) => name))];
  }
  const required = metadata.matchAll(/^Requires-Dist:[ \t]*([A-Za-z0-9][\w.-]*)([^\n]*)/gm);
  const names = Array.from(required, ([, name = '', rest = '']) => (/\bextra\s*==/.test(rest) ? '' : name));
  return [...new Set(names.filter(Boolean).map((name) => name.toLowerCase().replaceAll(/[-_.]+/g, '-')))];
}
