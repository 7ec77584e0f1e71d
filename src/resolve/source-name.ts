import { normalName } from '../recipe/requirement-parts.ts';

/**
 * The version that the file name of a source distribution of project `name` tells; undefined for any other file.
 * Source: "Source distribution file name"; PEP 625.
 */
export function sourceVersion(file: string, name: string): string | undefined {
  const [, stem = ''] = /^(.+)\.(?:tar\.gz|tgz|zip|tar\.bz2|tar\.xz)$/.exec(file) ?? [];
  // Names from before PEP 625 may hold dashes themselves.
  for (let dash = stem.indexOf('-'); dash > 0; dash = stem.indexOf('-', dash + 1)) {
    if (normalName(stem.slice(0, dash)) === name && /^\d|^v\d/.test(stem.slice(dash + 1))) return stem.slice(dash + 1);
  }
  return undefined;
}
