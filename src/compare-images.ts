import { comparePackages, type ComparedPackage, type PackageDifference } from './assemble/package-difference.ts';
import { readInventory, type Inventory } from './assemble/package-inventory.ts';
import { compareTrees, type EntryDifference } from './assemble/tree-difference.ts';
import { textAt } from './assemble/tree-text.ts';
import type { Tree } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import { byteOrder } from './base/byte-order.ts';
import type { Json } from './base/canonical-json.ts';
import { explainChanges } from './lock/drift.ts';
import type { LockedTarget } from './lock/lockfile.ts';
import { sandboxInputs } from './lock/recipe-inputs.ts';
import { billDigests } from './pack/sbom.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { differenceReasons, type Reason } from './store/difference-reasons.ts';
import { readToldManifest, type ToldManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { imageContents, readTree } from './store/images.ts';

/** What is compared: an image, or a lockfile whose image is not in the store. */
export type Compared =
  | { readonly kind: 'image'; readonly label: string; readonly image: Image }
  | {
      readonly kind: 'lock';
      readonly label: string;
      readonly architecture: Architecture;
      readonly target: LockedTarget;
    };

/** A package's, or everything else's, share of two images, in bytes. */
export interface SizeDifference {
  /** `recipe.yaml` for the recipe's own files, `rootcellar` for what the build makes, '' for what belongs to nothing. */
  readonly owner: string;
  readonly before: number;
  readonly after: number;
}

export interface FileDifference {
  readonly difference: EntryDifference;
  readonly owner: string;
  readonly reason: Reason;
}

/** Each list in byte order. */
export interface Comparison {
  readonly packages: readonly PackageDifference[];
  /** One line for each setting of the images that differs; none where one image does not tell. */
  readonly settings: readonly string[];
  /** Undefined where one side is a lockfile alone. */
  readonly files: readonly FileDifference[] | undefined;
  /** Owners whose share differs. */
  readonly sizes: readonly SizeDifference[];
  readonly isSame: boolean;
}

export async function compareImages(
  before: Compared,
  after: Compared,
  { store }: PipelineContext,
): Promise<Comparison> {
  const [old, now] = [await sideOf(before, { store }), await sideOf(after, { store })];
  const packages = comparePackages(old.packages, now.packages);
  const settings =
    old.manifest === undefined || now.manifest === undefined
      ? []
      : explainChanges(settingsOf(old.manifest), settingsOf(now.manifest));
  if (old.contents === undefined || now.contents === undefined) {
    return { packages, settings, files: undefined, sizes: [], isSame: packages.length === 0 };
  }
  const sides = {
    before: { ...withOwnersOf(old.contents, now.contents), manifest: old.manifest },
    after: { ...withOwnersOf(now.contents, old.contents), manifest: now.manifest },
  };
  const reasonOf = differenceReasons({ ...sides, packages });
  const files = compareTrees(sides.before.tree, sides.after.tree).map((difference): FileDifference => {
    const inventory = difference.change === 'removed' ? sides.before.inventory : sides.after.inventory;
    const entry = difference.change === 'removed' ? difference.before : difference.after;
    return { difference, owner: inventory.ownerOf(entry) ?? '', reason: reasonOf(difference) };
  });
  return { packages, settings, files, sizes: sizesOf(sides.before, sides.after), isSame: files.length === 0 };
}

/** Where an image does not say what a file belongs to, the other one may. */
function withOwnersOf({ tree, inventory }: Weighed, other: Weighed): Weighed {
  const ownerOf: Inventory['ownerOf'] = (entry) => {
    const own = inventory.ownerOf(entry);
    if (own !== undefined) return own;
    const twin = other.tree.get(entry.path);
    return twin === undefined ? undefined : other.inventory.ownerOf(twin);
  };
  return { tree, inventory: { ...inventory, ownerOf } };
}

interface Side {
  readonly packages: readonly ComparedPackage[];
  readonly manifest: ToldManifest | undefined;
  readonly contents: { readonly tree: Tree; readonly inventory: Inventory } | undefined;
}

async function sideOf(compared: Compared, { store }: Pick<PipelineContext, 'store'>): Promise<Side> {
  if (compared.kind === 'lock') {
    const { debs, wheels } = compared.target;
    return { packages: [...debs, ...wheels], manifest: undefined, contents: undefined };
  }
  const { image } = compared;
  const tree = await readTree(store, image);
  const contents = imageContents(store, image);
  try {
    const inventory = readInventory(tree, contents);
    const digests = billDigests(textAt(tree, contents, '.rootcellar/sbom.cdx.json') ?? '');
    const packages = inventory.packages.map(({ kind, name, version }): ComparedPackage => {
      return { kind, name, version, digest: digests.get(`${kind} ${name} ${version}`) };
    });
    const manifest = readToldManifest(textAt(tree, contents, '.rootcellar/manifest.json') ?? '');
    return { packages, manifest, contents: { tree, inventory } };
  } finally {
    contents.close();
  }
}

/** What people know from recipe and lockfile, in their words. */
function settingsOf({ name, architecture, format, epoch, interpreter, trimmed, sandbox }: ToldManifest): Json {
  return {
    name,
    architecture,
    format,
    epoch: new Date(epoch * 1000).toISOString(),
    interpreter: interpreter === undefined ? undefined : { ...interpreter },
    trim: (trimmed ?? []).map(({ rule }) => rule),
    sandbox: sandboxInputs(sandbox),
  };
}

interface Weighed {
  readonly tree: Tree;
  readonly inventory: Inventory;
}

function sizesOf(before: Weighed, after: Weighed): readonly SizeDifference[] {
  const [old, now] = [bytesByOwner(before), bytesByOwner(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .toSorted(byteOrder)
    .map((owner) => ({ owner, before: old.get(owner) ?? 0, after: now.get(owner) ?? 0 }))
    .filter((size) => size.before !== size.after);
}

function bytesByOwner({ tree, inventory }: Weighed): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const entry of tree.values()) {
    if (entry.kind !== 'file') continue;
    const owner = inventory.ownerOf(entry) ?? '';
    sums.set(owner, (sums.get(owner) ?? 0) + entry.size);
  }
  return sums;
}
