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
import { KNOWN_MODULES } from './assemble/module-packages.ts';
import { nameOf } from './base/image-path.ts';
import type { SandboxSettings } from './recipe/recipe.ts';
import { networkPolicy } from './run/network-policy.ts';
import { syscallNames, syscallNumber } from './run/syscall-tables.ts';

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
  readonly kind: 'library' | 'module' | 'file' | 'package' | 'syscall';
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

/** Everything that `thing` is in an image: a library, a Python module, a file, a package, a system call; or would be. */
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
  ];
  return { stories: there, near: there.length > 0 ? undefined : closestWord(thing, wordsOf(context)) };
}

function wordsOf({ tree, packages }: ExplainContext): readonly string[] {
  const libraries = [...tree.values()].flatMap((entry) =>
    /\.so(?:\.|$)/.test(entry.path) ? [nameOf(entry.path)] : [],
  );
  return [...new Set([...packages.map(({ name }) => name), ...KNOWN_MODULES, ...libraries, ...syscallNames()])];
}

/** What a run of the image may do with a system call. */
function explainSyscall({ sandbox, architecture, name }: ExplainContext, thing: string): readonly Story[] {
  if (syscallNumber(architecture, thing) === undefined) return [];
  const { profile, rules } = networkPolicy(sandbox, architecture);
  const own = rules.get(thing);
  const isAllowed = own?.some(({ action }) => action.kind === 'allow') === true;
  const verdict =
    own === undefined || !isAllowed ? 'denied' : own.length === 1 ? 'allowed' : 'allowed for some arguments';
  const lines = [
    `${thing}: a system call, ${verdict} in cells of ${name} by profile \`${profile}\``,
    ...(isAllowed ? [] : [`  to allow it, add ${thing} to \`sandbox.syscalls.allow\` of the recipe`]),
  ];
  return [{ kind: 'syscall', lines, facts: { name: thing, profile, verdict } }];
}
