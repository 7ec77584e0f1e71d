import type { PackagesOf } from './assemble/closure-text.ts';
import { hostDisk } from './assemble/host-disk.ts';
import { hostLibraries } from './assemble/host-libraries.ts';
import type { Architecture } from './base/architecture.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { resolverSettings } from './lock-recipe.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { DebianBase, Recipe } from './recipe/recipe.ts';
import type { LibraryIndex } from './resolve/library-index.ts';
import { libraryPackage } from './resolve/library-packages.ts';

export interface PackageQuestion {
  readonly recipe: Pick<Recipe, 'base'>;
  readonly architecture: Architecture;
  /** Names as ELF files have them: sonames and paths. */
  readonly libraries: readonly string[];
}

/**
 * The Debian packages that bring libraries, for hints: by our own table, else by the archive's index of contents, from the
 * cache or fetched. What is not found, for whatever reason, is left out: the hint then says how to find out.
 */
export async function packagesOfLibraries(question: PackageQuestion, context: PipelineContext): Promise<PackagesOf> {
  const { recipe, libraries } = question;
  const { base } = recipe;
  const found = new Map<string, readonly string[]>();
  if (base.kind === 'host') return librariesOfThisMachine(question, context);
  for (const library of libraries) {
    const known = libraryPackage(library, base.suite);
    if (known !== undefined) found.set(library, [known]);
  }
  const open = libraries.filter((library) => !found.has(library));
  const index = open.length === 0 ? undefined : await libraryIndex({ ...question, base }, context);
  for (const library of open) {
    const soname = library.slice(library.lastIndexOf('/') + 1);
    const providers = (index?.get(soname) ?? []).filter(
      ({ path }) => !library.includes('/') || sameFile(path, library),
    );
    if (providers.length > 0) found.set(library, [...new Set(providers.map((provider) => provider.package))]);
  }
  return found;
}

/** Of a machine it is not known which packages its owner could install, but what it has can be asked for. */
function librariesOfThisMachine(
  { architecture, libraries }: PackageQuestion,
  { hostArchitecture }: Pick<PipelineContext, 'hostArchitecture'>,
): PackagesOf {
  if (architecture !== hostArchitecture) return new Map();
  const machine = hostLibraries(hostDisk(), architecture);
  const there = libraries.filter((library) => !library.includes('/') && machine.findByName(library) !== undefined);
  return new Map(there.map((library) => [library, []]));
}

function sameFile(path: string, library: string): boolean {
  return path.replace(/^\/usr\//, '/') === library.replace(/^\/usr\//, '/');
}

/** Undefined where there is no apt, no network and nothing kept: none of them may hide the error that asks. */
async function libraryIndex(
  { base, architecture }: Pick<PackageQuestion, 'architecture'> & { readonly base: DebianBase },
  context: PipelineContext,
): Promise<LibraryIndex | undefined> {
  const { debianLibraryIndex } = await import('./resolve/library-lookup.ts');
  try {
    const question = { base, architecture, offline: context.offline === true };
    return await debianLibraryIndex(question, await resolverSettings(context));
  } catch (error) {
    if (!(error instanceof RootcellarError) || error.code === 'E_CANCELLED') throw error;
    return undefined;
  }
}
