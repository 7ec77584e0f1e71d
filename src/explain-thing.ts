import { installedPackages, type InstalledPackage } from './assemble/installed-packages.ts';
import { cachedLibraries, type CachedLibrary } from './assemble/ld-so-cache.ts';
import type { Contents, Tree } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import type { Json } from './base/canonical-json.ts';
import { closestWord } from './base/closest-word.ts';
import { explainFile } from './explain-file.ts';
import { explainLibrary } from './explain-library.ts';
import { explainModule } from './explain-module.ts';
import { explainPackage } from './explain-package.ts';
import { explainGroup, explainSyscall } from './explain-syscall.ts';
import { KNOWN_MODULES } from './assemble/module-packages.ts';
import { nameOf } from './base/image-path.ts';
import type { SandboxSettings } from './recipe/recipe.ts';
import { SYSCALL_GROUPS } from './run/syscall-groups.ts';
import { syscallNames } from './run/syscall-tables.ts';

/** An image to be asked about, whole or as it would have been. */
export interface ExplainedImage {
  readonly name: string;
  readonly architecture: Architecture;
  readonly tree: Tree;
  readonly contents: Contents;
  /** Absolute path of its interpreter, where it has one. */
  readonly program: string | undefined;
  readonly sandbox: SandboxSettings;
  /** Debian packages that have a library; asked only for what is missing. */
  readonly packagesOf: (libraries: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
}

/** One meaning of the word that was asked about. */
export interface Story {
  readonly kind: 'library' | 'module' | 'file' | 'package' | 'syscall' | 'group';
  /** For people, a line each. */
  readonly lines: readonly string[];
  readonly facts: { readonly [key: string]: Json | undefined };
}

/** What the stories are made from. */
export interface ExplainContext extends ExplainedImage {
  readonly packages: readonly InstalledPackage[];
  readonly cache: readonly CachedLibrary[];
}

export interface Explanation {
  /** None when nothing of that name is known. */
  readonly stories: readonly Story[];
  /** Where there are no stories: the word that was most likely meant. */
  readonly near: string | undefined;
}

/** Everything that `thing` is in an image: a library, a Python module, a file, a package, a system call or a group of them; or would be. */
export async function explainThing(image: ExplainedImage, thing: string): Promise<Explanation> {
  const { tree, contents, architecture } = image;
  const cache = cachedLibraries({ tree, contents, architecture });
  const context: ExplainContext = { ...image, cache, packages: installedPackages(tree, contents) };
  const there = [
    ...(thing.includes('/') ? explainFile(context, thing) : []),
    ...(await explainLibrary(context, thing)),
    ...explainPackage(context, thing),
    ...explainModule(context, thing),
    ...explainSyscall(context, thing),
    ...explainGroup(context, thing),
  ];
  return { stories: there, near: there.length > 0 ? undefined : closestWord(thing, wordsOf(context)) };
}

function wordsOf({ tree, packages }: ExplainContext): readonly string[] {
  const libraries = [...tree.values()].flatMap((entry) =>
    /\.so(?:\.|$)/.test(entry.path) ? [nameOf(entry.path)] : [],
  );
  return [
    ...new Set([
      ...packages.map(({ name }) => name),
      ...KNOWN_MODULES,
      ...libraries,
      ...syscallNames(),
      ...SYSCALL_GROUPS.keys(),
    ]),
  ];
}
