import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Notices edits by looking: unlike inotify, that sees renames, links that are turned, and folders that other machines mount. */
export interface WatchedFiles {
  /** Which files from now on. Those that were followed already are compared with what was seen of them. */
  readonly follow: (paths: readonly string[]) => Promise<void>;
  /** Whether a file has changed and is then as it was at the look before: what is half-written waits. Tells each edit once. */
  readonly areEdited: () => Promise<boolean>;
}

export function watchFiles(): WatchedFiles {
  let seen: ReadonlyMap<string, string> = new Map();
  let settling: string | undefined;
  return {
    follow: async (paths) => {
      const stamps = await stampsOf(paths);
      seen = new Map([...stamps].map(([path, stamp]) => [path, seen.get(path) ?? stamp]));
    },
    areEdited: async () => {
      const stamps = await stampsOf([...seen.keys()]);
      const text = textOf(stamps);
      if (text === textOf(seen)) {
        settling = undefined;
        return false;
      }
      if (text !== settling) {
        settling = text;
        return false;
      }
      seen = stamps;
      settling = undefined;
      return true;
    },
  };
}

function textOf(stamps: ReadonlyMap<string, string>): string {
  return [...stamps.values()].join('\n');
}

async function stampsOf(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const unique = [...new Set(paths)];
  const stamps = await Promise.all(unique.map(stampOf));
  return new Map(unique.map((path, index) => [path, stamps[index] ?? '']));
}

/** Of what a link leads to. Whatever keeps the file from being looked at is told by whoever reads it. */
async function stampOf(path: string): Promise<string> {
  try {
    const status: BigIntStats = await stat(path, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = status;
    // What is made in a folder is no edit of what is read of it: a lockfile, for one.
    if (status.isDirectory()) return `${dev} ${ino}`;
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}
