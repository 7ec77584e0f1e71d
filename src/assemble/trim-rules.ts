import { parentOf, type ImagePath } from '../base/image-path.ts';
import { TRIM_SETS } from '../recipe/trim-sets.ts';
import { globTest } from './glob-expression.ts';

/** One element of a recipe's `trim` that takes something away. */
export interface TrimRule {
  /** The set's name, or the glob. */
  readonly name: string;
  readonly keepsImported: boolean;
}

/** What a recipe's `trim` means for paths. */
export interface TrimRules {
  /** The first rule that takes `path` away, globs before sets; undefined when it stays. */
  ruleOf(path: ImagePath): TrimRule | undefined;
  /** Globs, those after `!` too, that no path has met since the rules were made. */
  unused(): readonly string[];
}

interface Matcher extends TrimRule {
  readonly takes: (path: ImagePath) => boolean;
  readonly keeps: (path: ImagePath) => boolean;
}

/** `trim` is that of a checked recipe. A glob that means a folder means all that is in it. */
export function trimRules(trim: readonly string[]): TrimRules {
  const globs = trim.filter((word) => word.startsWith('/'));
  const exceptions = trim.flatMap((word) => (word.startsWith('!') ? [word.slice(1)] : []));
  const matchers = [...globs.map(globMatcher), ...setMatchers(trim)];
  const keepers = exceptions.map((glob) => ({ glob, keeps: withFolders([glob]) }));
  const used = new Set<string>();
  return {
    ruleOf: (path) => {
      const matcher = matchers.find(({ takes, keeps }) => takes(path) && !keeps(path));
      if (matcher === undefined) return undefined;
      used.add(matcher.name);
      const kept = keepers.filter(({ keeps }) => keeps(path));
      for (const { glob } of kept) used.add(`!${glob}`);
      return kept.length > 0 ? undefined : matcher;
    },
    unused: () => trim.filter((word) => /^[!/]/.test(word) && !used.has(word)),
  };
}

function setMatchers(trim: readonly string[]): readonly Matcher[] {
  return TRIM_SETS.filter(({ name }) => trim.includes(name)).map(({ name, keepsImported, globs, keep }) => {
    return { name, keepsImported, takes: withFolders(globs), keeps: withFolders(keep) };
  });
}

function globMatcher(glob: string): Matcher {
  return { name: glob, keepsImported: false, takes: withFolders([glob]), keeps: () => false };
}

/** Whether one of `globs` means a path or a folder that it lies in. Answers about folders are remembered. */
function withFolders(globs: readonly string[]): (path: ImagePath) => boolean {
  const isMeant = globTest(globs);
  const folders = new Map<ImagePath, boolean>();
  const isFolderMeant = (folder: ImagePath): boolean => {
    if (folder === '') return false;
    const known = folders.get(folder) ?? (isFolderMeant(parentOf(folder)) || isMeant(folder));
    folders.set(folder, known);
    return known;
  };
  return (path) => isFolderMeant(parentOf(path)) || isMeant(path);
}
