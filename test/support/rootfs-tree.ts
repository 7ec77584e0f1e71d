import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Lays a tar out in a folder by GNU tar. Absolute links become relative ones, so that they lead where they would in a root
 * filesystem even for a program that is not confined to it.
 */
export function layOut(tar: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-C', folder, '--no-same-owner', '-xf', tar]);
  for (const path of pathsBelow(folder)) {
    const target = linkTarget(path);
    if (target === undefined || !target.startsWith('/')) continue;
    rmSync(path);
    symlinkSync(relative(dirname(path), join(folder, target)), path);
  }
}

/** Contents of all regular files whose name ends so, by path below `folder`. */
export function filesEnding(folder: string, ending: string): ReadonlyMap<string, Buffer> {
  const paths = pathsBelow(folder).filter((path) => path.endsWith(ending) && linkTarget(path) === undefined);
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

function pathsBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
