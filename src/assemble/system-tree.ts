import { baseFiles, type SystemFacts } from './base-files.ts';
import { mergeArtifacts, plainDirectory, type MergePart } from './merge-tree.ts';
import { withAdditions } from './tree-additions.ts';
import type { Entry, Tree } from './tree.ts';

/**
 * The packages' files with the folders and links of every system, before anything else is generated: enough to find out
 * what a program of theirs would load.
 */
export function systemTree(system: SystemFacts, parts: readonly MergePart[]): Tree {
  const merged = mergeArtifacts(parts);
  const links = baseFiles(system, merged).flatMap((generated): Entry[] => {
    const directory = plainDirectory(generated.path);
    if (generated.kind === 'directory') return [directory];
    if (generated.kind !== 'symlink') return [];
    return [{ ...directory, kind: 'symlink', mode: 0o777, target: generated.target }];
  });
  return withAdditions(merged, links);
}
