import { basename, dirname, join } from 'node:path/posix';
import { byteOrder } from '../base/byte-order.ts';
import { normalName } from '../recipe/requirement-parts.ts';
import { readHostFile, type HostDisk } from './host-disk.ts';
import { parseRecord } from './wheel-record.ts';

/** A distribution that is installed on this machine. */
export interface HostDistribution {
  /** Normalised. */
  readonly name: string;
  /** Its `.dist-info` or `.egg-info`, a folder or a file. */
  readonly metadata: string;
  /** The folder for modules that it is in. */
  readonly site: string;
}

/** Those whose metadata is among `paths`. Source: "Recording installed projects", and setuptools for `.egg-info`. */
export function hostDistributions(paths: Iterable<string>): readonly HostDistribution[] {
  const found = new Map<string, HostDistribution>();
  for (const path of paths) {
    const [, metadata] = /^(.*\/[^/]+\.(?:dist|egg)-info)(?:\/.*)?$/.exec(path) ?? [];
    if (metadata === undefined || found.has(metadata)) continue;
    const [, name] = /^([^-]+)/.exec(basename(metadata).replace(/\.(?:dist|egg)-info$/, '')) ?? [];
    if (name !== undefined) found.set(metadata, { name: normalName(name), metadata, site: dirname(metadata) });
  }
  return [...found.values()].toSorted((a, b) => byteOrder(a.metadata, b.metadata));
}

/**
 * Of `paths`, those that belong to `distribution`: its metadata, and what it lists there. Where it has no list, as Debian's
 * packages have none, the modules that it calls its own; a folder without `__init__.py` may be shared, and then stays.
 */
export function ownedPaths(
  disk: HostDisk,
  distribution: HostDistribution,
  paths: ReadonlySet<string>,
): readonly string[] {
  const { metadata } = distribution;
  const listed = listedPaths(disk, distribution);
  const isOwned =
    listed === undefined ? moduleTest(disk, distribution, paths) : (path: string): boolean => listed.has(path);
  return [...paths].filter((path) => path === metadata || path.startsWith(`${metadata}/`) || isOwned(path));
}

function listedPaths(disk: HostDisk, { metadata, site }: HostDistribution): ReadonlySet<string> | undefined {
  const record = textOf(disk, `${metadata}/RECORD`);
  if (record !== undefined) return new Set([...recordPaths(record)].map((path) => join(site, path)));
  const installed = textOf(disk, `${metadata}/installed-files.txt`);
  if (installed === undefined) return undefined;
  return new Set(installed.split(/\r?\n/).flatMap((line) => (line === '' ? [] : [join(metadata, line)])));
}

/** A list that cannot be read owns nothing but the metadata beside it. */
function recordPaths(text: string): Iterable<string> {
  try {
    return parseRecord(text).keys();
  } catch {
    return [];
  }
}

function moduleTest(
  disk: HostDisk,
  { name, metadata, site }: HostDistribution,
  paths: ReadonlySet<string>,
): (path: string) => boolean {
  const top = textOf(disk, `${metadata}/top_level.txt`)?.split(/\s+/) ?? [name.replaceAll('-', '_')];
  const modules = top.filter((module) => /^[\w.]+$/.test(module));
  const packages = modules.filter((module) => paths.has(`${site}/${module}/__init__.py`));
  return (path) =>
    packages.some((module) => path.startsWith(`${site}/${module}/`)) ||
    modules.some((module) => path === `${site}/${module}.py` || isExtension(path, `${site}/${module}`));
}

function isExtension(path: string, module: string): boolean {
  return path.startsWith(`${module}.`) && path.endsWith('.so') && dirname(path) === dirname(module);
}

function textOf(disk: HostDisk, path: string): string | undefined {
  if (disk.look(path)?.kind !== 'file') return undefined;
  const parts: Uint8Array[] = [];
  readHostFile(disk, path, (chunk) => parts.push(Uint8Array.from(chunk)));
  return Buffer.concat(parts).toString('utf8');
}
