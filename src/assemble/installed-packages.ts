import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { parseDeb822 } from '../resolve/deb822.ts';
import { parseRelations } from './deb-control.ts';
import type { Contents, FileEntry, Tree } from './tree.ts';
import { parseHeaders } from './wheel-metadata.ts';

/** A package as the image itself tells of it. */
export interface InstalledPackage {
  readonly kind: 'deb' | 'wheel';
  /** Of a wheel normalised as PEP 503 says. */
  readonly name: string;
  readonly version: string;
  /** Packages of the image that it names as its dependencies, in byte order. */
  readonly depends: readonly string[];
}

/** Longer ones are no package's own description. */
const LONGEST_FILE = 32 * 1024 ** 2;

/** The packages that an image has records of: dpkg's status files, and METADATA of wheels. In byte order of name. */
export function installedPackages(tree: Tree, contents: Contents): readonly InstalledPackage[] {
  const found = [...debs(tree, contents), ...wheels(tree, contents)];
  const providers = new Map<string, string>();
  for (const one of found) for (const name of one.provides) providers.set(name, one.name);
  for (const { name } of found) providers.set(name, name);
  return found
    .map(({ kind, name, version, wants }) => {
      const depends = wants.flatMap((want) => providers.get(want) ?? []).filter((want) => want !== name);
      return { kind, name, version, depends: [...new Set(depends)].toSorted(byteOrder) };
    })
    .toSorted((a, b) => byteOrder(a.name, b.name));
}

type Found = Omit<InstalledPackage, 'depends'> & {
  readonly wants: readonly string[];
  readonly provides: readonly string[];
};

function debs(tree: Tree, contents: Contents): readonly Found[] {
  const files = [...tree.values()].filter((entry): entry is FileEntry => {
    return entry.kind === 'file' && /^var\/lib\/dpkg\/(?:status|status\.d\/[^/]+)$/.test(entry.path);
  });
  return files
    .flatMap((file) => parseDeb822(textOf(file, contents)))
    .flatMap((stanza): readonly Found[] => {
      const name = stanza.get('package');
      const isGone = / (?:deinstall|not-installed|config-files)/.test(` ${stanza.get('status') ?? ''}`);
      if (name === undefined || isGone) return [];
      const names = (field: string): readonly string[] =>
        parseRelations((stanza.get(field) ?? '').replaceAll('|', ',')).map((relation) => relation.name);
      const wants = [...names('depends'), ...names('pre-depends')];
      return [{ kind: 'deb', name, version: stanza.get('version') ?? '', wants, provides: names('provides') }];
    });
}

function wheels(tree: Tree, contents: Contents): readonly Found[] {
  return [...tree.values()].flatMap((entry): readonly Found[] => {
    if (entry.kind !== 'file' || !entry.path.endsWith('.dist-info/METADATA')) return [];
    const text = textOf(entry, contents);
    const headers = parseHeaders(text.split(/\r?\n\r?\n/)[0] ?? '');
    const wants = [...text.matchAll(/^Requires-Dist:\s*([A-Za-z0-9._-]+)/gim)].map(([, name = '']) => normalized(name));
    const name = normalized(headers.get('name') ?? '');
    return name === '' ? [] : [{ kind: 'wheel', name, version: headers.get('version') ?? '', wants, provides: [] }];
  });
}

function normalized(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-');
}

/** Empty where the contents are not at hand. */
function textOf(file: FileEntry, contents: Contents): string {
  if (file.size > LONGEST_FILE) return '';
  try {
    const parts = Array.from(contents.chunks(file.digest, file.size), (chunk) => Buffer.from(chunk));
    return Buffer.concat(parts).toString();
  } catch (error) {
    if (error instanceof RootcellarError) return '';
    throw error;
  }
}
