import { byteOrder } from '../base/byte-order.ts';
import type { RecipeFile } from '../recipe/recipe.ts';
import type { Artifact } from '../resolve/resolution.ts';
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
import { mergedPath } from './usr-merge.ts';

/** A locked artifact and what it has been unpacked to. */
export interface AssemblePart {
  readonly artifact: Artifact;
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
  /** What we put there ourselves, such as `.rootcellar/manifest.json`. Nothing else may have these paths. */
  readonly ownFiles: readonly RecipeFile[];
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
  const merged = mergeArtifacts([...input.parts.map(mergePart), ...(await writtenParts(input, generator))]);
  const based = await withGenerated(merged, [...baseFiles(system, merged), ...statusFiles(input.parts)], generator);
  const trusting = await withGenerated(based, caBundle(based, generator.contents), generator);
  const libraries = cachedLibraries({
    tree: trusting,
    contents: generator.contents,
    architecture: system.architecture,
  });
  const cache = formatLdSoCache(libraries, system.architecture);
  const cacheFile: GeneratedEntry = { kind: 'file', path: 'etc/ld.so.cache', mode: 0o644, content: cache };
  const complete = await withGenerated(trusting, libraries.length === 0 ? [] : [cacheFile], generator);
  const tree = withFinalMetadata(complete, epoch);
  const { interpreter } = system;
  const closure = { architecture: system.architecture, cache: libraries, program: interpreter?.path };
  const report = checkClosure(tree, closure);
  const absent = absentLibraries(tree, closure, input.sharedObjects);
  const missing = [...absent, ...refusedLibraries(report.missing, input.allowMissing)];
  if (missing.length > 0) throw closureError(missing, await input.packagesOf({ tree, missing }));
  const suspicious = suspiciousFiles({ tree, parts: input.parts, interpreter, contents: generator.contents });
  const found = [...input.parts.flatMap(scriptWarnings), ...suspicious].toSorted(byteOrder);
  const byName = missingByName(tree, generator.contents, closure);
  return { tree, warnings: [...found, ...closureWarnings(report, input.allowMissing, byName)] };
}

async function withGenerated(tree: Tree, generated: readonly GeneratedEntry[], generator: Generator): Promise<Tree> {
  return withAdditions(tree, await generator.entriesOf(generated, tree));
}

export function mergePart({ artifact, unpacked, bytecode }: AssemblePart): MergePart {
  const { name, version, kind } = artifact;
  const replaces = kind === 'deb' ? parseRelations(parseControl(unpacked.metadata).get('replaces') ?? '') : [];
  return { name, version, replaces, entries: [...unpacked.entries, ...(bytecode?.entries ?? [])] };
}

async function writtenParts({ files, ownFiles }: AssembleInput, generator: Generator): Promise<readonly MergePart[]> {
  const entriesOf = async (written: readonly RecipeFile[]): Promise<MergePart['entries']> => {
    const generated = written.map((file): GeneratedEntry => ({ kind: 'file', ...file, path: mergedPath(file.path) }));
    return await generator.entriesOf(generated, new Map());
  };
  return [
    { name: 'recipe.yaml', version: '', replaces: 'everything', entries: await entriesOf(files) },
    { name: 'rootcellar', version: '', replaces: [], entries: await entriesOf(ownFiles) },
  ];
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
