import { byteOrder } from '../base/byte-order.ts';
import { linkTarget, nameOf, parentOf, type ImagePath } from '../base/image-path.ts';
import { parseControl } from './deb-control.ts';
import { textAt } from './tree-text.ts';
import type { Contents, Entry, Tree } from './tree.ts';
import { parseRecord } from './wheel-record.ts';

/** A package that an image says it has. */
export interface InventoryPackage {
  readonly kind: 'deb' | 'wheel';
  /** A wheel's normalised as PEP 503 says. */
  readonly name: string;
  readonly version: string;
  /** Of a .deb, where it is known; `all` or a Debian name. */
  readonly architecture: string | undefined;
  /** Control file or METADATA; empty where there is none. */
  readonly metadata: string;
}

export interface Inventory {
  /** In byte order of kind and name. */
  readonly packages: readonly InventoryPackage[];
  /** What an entry belongs to: the name of a package, `recipe.yaml`, `rootcellar`, or undefined where nothing says so. */
  readonly ownerOf: (entry: Entry) => string | undefined;
}

/**
 * The packages of a tree by what it holds itself: dpkg's status, one file or many, and the metadata of Python packages that
 * no .deb has brought. Works for images that others have made: files belong to packages by dpkg's lists and by RECORD.
 */
export function readInventory(tree: Tree, contents: Contents): Inventory {
  const owners = new Map<ImagePath, string>();
  const debs = debPackages(tree, contents);
  for (const { name } of debs) claimAll(owners, name, debFiles(tree, contents, name));
  const debOrigins = new Set(debs.map(({ name, version }) => `${name} ${version}`));
  const wheels = wheelPackages(tree, contents).filter(({ folder }) => {
    const path = `${folder}/METADATA`;
    return !owners.has(path) && !debOrigins.has(tree.get(path)?.origin ?? '') && !isDebianFolder(folder, tree);
  });
  for (const { found, folder } of wheels) claimAll(owners, found.name, wheelFiles(tree, contents, folder));
  const packages = [...debs, ...wheels.map(({ found }) => found)];
  const origins = new Map(packages.map(({ name, version }) => [`${name} ${version}`, name]));
  for (const own of ['recipe.yaml', 'rootcellar']) origins.set(own, own);
  return {
    packages: packages.toSorted((a, b) => byteOrder(a.kind, b.kind) || byteOrder(a.name, b.name)),
    ownerOf: ({ path, origin }) => origins.get(origin) ?? owners.get(path),
  };
}

/** The first that says so owns a path. */
function claimAll(owners: Map<ImagePath, string>, name: string, paths: readonly ImagePath[]): void {
  for (const path of paths) if (!owners.has(path)) owners.set(path, name);
}

function debPackages(tree: Tree, contents: Contents): readonly InventoryPackage[] {
  const folder = 'var/lib/dpkg/status.d/';
  const single = [...tree.keys()].filter((path) => path.startsWith(folder) && !path.endsWith('.md5sums'));
  const texts = ['var/lib/dpkg/status', ...single].map((path) => textAt(tree, contents, path) ?? '');
  const found = new Map<string, InventoryPackage>();
  for (const metadata of texts.join('\n\n').split(/\n[ \t\r]*\n/)) {
    const fields = parseControl(metadata);
    const [name, version] = [fields.get('package'), fields.get('version')];
    const isInstalled = (fields.get('status') ?? ' installed').endsWith(' installed');
    if (name === undefined || version === undefined || !isInstalled || found.has(name)) continue;
    found.set(name, {
      kind: 'deb',
      name,
      version,
      architecture: fields.get('architecture'),
      metadata: metadata.trim(),
    });
  }
  return [...found.values()];
}

/** dpkg's list of a package, or the checksums that images without dpkg keep; as paths that a merged /usr gives them. */
function debFiles(tree: Tree, contents: Contents, name: string): readonly ImagePath[] {
  const info = [...architectureSuffixes(tree, name)].map((suffix) => `var/lib/dpkg/info/${name}${suffix}.list`);
  const list = info.flatMap((path) => textAt(tree, contents, path)?.split('\n') ?? []);
  const sums = textAt(tree, contents, `var/lib/dpkg/status.d/${name}.md5sums`) ?? '';
  const summed = Array.from(sums.matchAll(/^[0-9a-f]{32} {2}(.+)$/gm), ([, path = '']) => `/${path}`);
  return [...list, ...summed].flatMap((path) => (path.startsWith('/') ? [realPath(tree, path.slice(1))] : []));
}

function architectureSuffixes(tree: Tree, name: string): readonly string[] {
  return ['', ':amd64', ':arm64', ':i386'].filter((suffix) => tree.has(`var/lib/dpkg/info/${name}${suffix}.list`));
}

/** With links at the top followed, such as `/lib`. */
function realPath(tree: Tree, path: ImagePath): ImagePath {
  const top = path.split('/')[0] ?? '';
  const link = tree.get(top);
  return link?.kind === 'symlink' ? `${linkTarget(top, link.target)}${path.slice(top.length)}` : path;
}

interface FoundWheel {
  /** The `dist-info`. */
  readonly folder: ImagePath;
  readonly found: InventoryPackage;
}

function wheelPackages(tree: Tree, contents: Contents): readonly FoundWheel[] {
  const folders = [...tree.keys()].flatMap((path) => (path.endsWith('.dist-info/METADATA') ? [parentOf(path)] : []));
  return folders.flatMap((folder) => {
    const metadata = textAt(tree, contents, `${folder}/METADATA`) ?? '';
    const fields = parseControl(metadata);
    const [name, version] = [fields.get('name'), fields.get('version')];
    if (name === undefined || version === undefined) return [];
    const normal = name.toLowerCase().replaceAll(/[-_.]+/g, '-');
    return [{ folder, found: { kind: 'wheel' as const, name: normal, version, architecture: undefined, metadata } }];
  });
}

/** Debian's own folder for modules: nothing but .debs may write there (Debian Python Policy, 3.1). */
function isDebianFolder(folder: ImagePath, tree: Tree): boolean {
  return parentOf(folder) === 'usr/lib/python3/dist-packages' && tree.has('var/lib/dpkg');
}

function wheelFiles(tree: Tree, contents: Contents, folder: ImagePath): readonly ImagePath[] {
  const text = textAt(tree, contents, `${folder}/RECORD`);
  const listed = text === undefined ? [] : recordPaths(text);
  const files = listed.map((path) => linkTarget(folder, path));
  const bytecode = files.flatMap((path) => bytecodeOf(tree, path));
  return [...files, ...bytecode, `${folder}/RECORD`];
}

/** Whoever made the image may have written a RECORD that cannot be read. */
function recordPaths(text: string): readonly string[] {
  try {
    return [...parseRecord(text).keys()];
  } catch {
    return [];
  }
}

function bytecodeOf(tree: Tree, path: ImagePath): readonly ImagePath[] {
  if (!path.endsWith('.py')) return [];
  const stem = `${parentOf(path)}/__pycache__/${nameOf(path).slice(0, -'.py'.length)}`;
  return ['310', '311', '312', '313', '314'].map((tag) => `${stem}.cpython-${tag}.pyc`).filter((one) => tree.has(one));
}
