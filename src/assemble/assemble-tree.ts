import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { RecipeFile } from '../recipe/recipe.ts';
import type { Artifact, HostPart } from '../resolve/resolution.ts';
import { baseFiles, type GeneratedEntry, type SystemFacts } from './base-files.ts';
import { caBundle } from './ca-bundle.ts';
import { parseControl, parseRelations } from './deb-control.ts';
import { closureError, closureWarnings, refusedLibraries, type PackagesOf } from './closure-text.ts';
import { missingByName } from './dlopen-sets.ts';
import { absentLibraries, checkClosure, type MissingLibrary } from './elf-closure.ts';
import { entryGenerator, type Generator } from './generated-entries.ts';
import { cachedLibraries, formatLdSoCache } from './ld-so-cache.ts';
import { unreplacedScripts } from './maintainer-scripts.ts';
import { mergeArtifacts, type MergePart } from './merge-tree.ts';
import { suspiciousFiles } from './suspicious-files.ts';
import { withAdditions, withFinalMetadata } from './tree-additions.ts';
import type { Contents, ContentSink, Tree, UnpackedArtifact } from './tree.ts';
import { trimImage, withTrimHints, type Trimmed } from './trim-image.ts';
import { mergedPath } from './usr-merge.ts';

/** A locked artifact and what it has been unpacked to. */
export interface AssemblePart {
  readonly artifact: Artifact | HostPart;
  readonly unpacked: UnpackedArtifact;
  /** The bytecode of its Python files. */
  readonly bytecode: UnpackedArtifact | undefined;
}

export interface AssembleInput {
  readonly system: SystemFacts;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** In any order. */
  readonly parts: readonly AssemblePart[];
  /** What the recipe puts into the image. Wins over what packages bring. */
  readonly files: readonly RecipeFile[];
  /** The recipe's `trim`; left out: nothing is trimmed. */
  readonly trim?: readonly string[] | undefined;
  /** What we put below `.rootcellar` ourselves, such as the manifest. Nothing else may lie there. */
  readonly ownFiles: (trimmed: Trimmed | undefined) => readonly RecipeFile[];
  /** Contents of the parts. */
  readonly contents: Contents;
  /** Takes the contents of all other files. */
  readonly sink: ContentSink;
  /** Sonames that the recipe wants: a loader must find each. */
  readonly sharedObjects: readonly string[];
  /** Sonames that may be missing, or patterns of them. */
  readonly allowMissing: readonly string[];
  /** Told what is missing, before the error; gives the Debian packages that have it, for hints. */
  readonly packagesOf: (missing: MissingImageLibraries) => Promise<PackagesOf>;
}

export interface MissingImageLibraries {
  /** The image as it would have been. */
  readonly tree: Tree;
  /** Not empty. */
  readonly missing: readonly MissingLibrary[];
}

export interface AssembledTree {
  readonly tree: Tree;
  /** Undefined where the recipe trims nothing. */
  readonly trimmed: Trimmed | undefined;
  /** One line for a person each: what was left undone. */
  readonly warnings: readonly string[];
}

/**
 * Everything that an image holds. The same parts, files and epoch give the same tree.
 * E_FILE_CONFLICT: two parts bring different things for one path. E_LIBRARY_MISSING: something would not load.
 */
export async function assembleTree(input: AssembleInput): Promise<AssembledTree> {
  const { system, epoch, contents, sink } = input;
  const generator = entryGenerator({ contents, sink, epoch });
  const merged = mergeArtifacts([...input.parts.map(mergePart), await recipePart(input, generator)]);
  refuseOwnPaths(merged);
  const based = await withGenerated(merged, [...baseFiles(system, merged), ...statusFiles(input.parts)], generator);
  const trusting = await withGenerated(based, caBundle(based, generator.contents), generator);
  const trim = await trimImage(trusting, input, generator);
  const libraries = cachedLibraries({
    tree: trim.tree,
    contents: generator.contents,
    architecture: system.architecture,
  });
  const cache = formatLdSoCache(libraries, system.architecture);
  const cacheFile: GeneratedEntry = { kind: 'file', path: 'etc/ld.so.cache', mode: 0o644, content: cache };
  const complete = await withGenerated(
    trim.tree,
    [...trim.folders, ...(libraries.length === 0 ? [] : [cacheFile]), ...input.ownFiles(trim.trimmed).map(writtenFile)],
    generator,
  );
  const tree = withFinalMetadata(complete, epoch);
  const { interpreter } = system;
  const closure = { architecture: system.architecture, cache: libraries, program: interpreter?.path };
  const report = checkClosure(tree, closure);
  const absent = absentLibraries(tree, closure, input.sharedObjects);
  const missing = [...absent, ...refusedLibraries(report.missing, input.allowMissing)];
  if (missing.length > 0) {
    const error = closureError(missing, await input.packagesOf({ tree, missing }));
    throw withTrimHints(error, { missing, gone: trim.gone, tree: trusting });
  }
  const suspicious = suspiciousFiles({ tree, parts: input.parts, interpreter, contents: generator.contents });
  const others = [...input.parts.flatMap(scriptWarnings), ...suspicious].toSorted(byteOrder);
  const byName = missingByName(tree, generator.contents, closure);
  const warnings = [...trim.warnings, ...others, ...closureWarnings(report, input.allowMissing, byName)];
  return { tree, trimmed: trim.trimmed, warnings };
}

async function withGenerated(tree: Tree, generated: readonly GeneratedEntry[], generator: Generator): Promise<Tree> {
  return withAdditions(tree, await generator.entriesOf(generated, tree));
}

export function mergePart({ artifact, unpacked, bytecode }: AssemblePart): MergePart {
  const { name, version, kind } = artifact;
  const replaces = kind === 'deb' ? parseRelations(parseControl(unpacked.metadata).get('replaces') ?? '') : [];
  const entries = [...unpacked.entries, ...(bytecode?.entries ?? [])];
  return { name, version, replaces, entries, yields: kind === 'host' };
}

async function recipePart({ files }: AssembleInput, generator: Generator): Promise<MergePart> {
  const written = files.map((file) => writtenFile({ ...file, path: mergedPath(file.path) }));
  const entries = await generator.entriesOf(written, new Map());
  return { name: 'recipe.yaml', version: '', replaces: 'everything', entries };
}

function writtenFile({ path, mode, content }: RecipeFile): GeneratedEntry {
  return { kind: 'file', path, mode, content };
}

const OWN_FOLDER = '.rootcellar';

function refuseOwnPaths(tree: Tree): void {
  if (!tree.has(OWN_FOLDER)) return;
  const below = [...tree.values()].find(({ path }) => path.startsWith(`${OWN_FOLDER}/`)) ?? tree.get(OWN_FOLDER);
  const message = `/${below?.path ?? ''}: \`${below?.origin ?? ''}\` brings it, but what lies there is made by the build`;
  throw new RootcellarError('E_FILE_CONFLICT', message, {
    hint: 'leave that package out of recipe.yaml or its requirements file',
  });
}

/** What scanners read to know the packages of an image without dpkg's own database: one control file each. */
function statusFiles(parts: readonly AssemblePart[]): readonly GeneratedEntry[] {
  return parts.flatMap(({ artifact, unpacked }): GeneratedEntry[] => {
    if (artifact.kind !== 'deb') return [];
    const content = `${unpacked.metadata.trimEnd()}\n`;
    return [{ kind: 'file', path: `var/lib/dpkg/status.d/${artifact.name}`, mode: 0o644, content }];
  });
}

function scriptWarnings({ artifact, unpacked }: AssemblePart): readonly string[] {
  const scripts = artifact.kind === 'deb' ? unreplacedScripts(artifact.name, unpacked.scripts) : [];
  return scripts.map(
    (script) => `${artifact.name}: its \`${script}\` was not run, and nothing is known to stand in for it`,
  );
}
