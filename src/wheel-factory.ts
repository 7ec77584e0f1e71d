import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blaming } from './assemble/byte-source.ts';
import { wheelMetadata } from './assemble/canonical-wheel.ts';
import { buildSystem, staticMetadata } from './assemble/project-facts.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, hexOf, isDigest, type Digest } from './base/digest.ts';
import { isErrno } from './base/rootcellar-error.ts';
import { buildWheel } from './build-wheel.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Recipe } from './recipe/recipe.ts';
import type { BuiltWheel, WheelBuilder, WheelJob, WheelOutcome } from './resolve/wheel-builder.ts';
import { hasArtifact, openArtifact } from './store/artifacts.ts';
import type { Store } from './store/store.ts';
import { fetchSource, keepCommit, readSource } from './wheel-sources.ts';

/** Whoever changes what a build gives for the same inputs, counts this up. */
const BUILD_VERSION = 1;

/** Builds wheels for a recipe, each once in the life of the store's cache for the same inputs. */
export function wheelBuilder(recipe: Recipe, context: PipelineContext): WheelBuilder {
  const { store, hostArchitecture } = context;
  return {
    architecture: hostArchitecture,
    fetch: (source) => fetchSource(source, { recipe, architecture: hostArchitecture }, context),
    has: ({ digest, size }) => hasArtifact(store, digest, size),
    keep: (files) => keepCommit(store, files),
    inspect: async (source) => {
      const tree = await readSource(store, source);
      const folder = source.kind === 'git' ? (source.subdirectory ?? '') : '';
      return blaming(source.kind === 'sdist' ? source.file : `commit of \`${source.name}\``, () => ({
        metadata: source.kind === 'sdist' ? staticMetadata(tree) : undefined,
        requires: buildSystem(tree, folder).requires,
      }));
    },
    build: async (job) => {
      const file = join(store.home, 'cache', 'built-wheels', `${hexOf(jobKey(job))}.json`);
      const known = await readKnown(store, file);
      if (known !== undefined) return { kind: 'wheel', wheel: known };
      const outcome = await buildWheel({ recipe, job }, context);
      if (outcome.kind === 'wheel') await writeKnown(file, outcome);
      return outcome;
    },
  };
}

/** Everything that a build sees. What the backend has asked for is among the requirements. */
function jobKey({ source, requirements, environment }: WheelJob): Digest {
  const { architecture, interpreter, debs } = environment;
  const { digest, name, version } = source;
  const place = source.kind === 'git' ? { tag: source.tag, subdirectory: source.subdirectory } : {};
  return digestOf(
    canonicalJson({
      build: BUILD_VERSION,
      source: { digest, name, version, ...place },
      requirements: digests(requirements),
      architecture,
      interpreter: interpreter.path,
      debs: digests(debs),
    }),
  );
}

function digests(artifacts: readonly { readonly digest: Digest }[]): readonly Digest[] {
  return artifacts.map(({ digest }) => digest);
}

async function readKnown(store: Store, file: string): Promise<BuiltWheel | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return '{}';
    throw error;
  });
  const known = knownFrom(text);
  if (known === undefined || !(await hasArtifact(store, known.digest, known.size))) return undefined;
  const source = await openArtifact(store, known.digest);
  try {
    return { ...known, metadata: await wheelMetadata(source, known.file) };
  } finally {
    await source.close();
  }
}

/** The folder may be emptied, and its files cut off, at any time. */
function knownFrom(text: string): Omit<BuiltWheel, 'metadata'> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const { file, version, size, digest }: Partial<Record<string, unknown>> = { ...Object(value) };
    const isKnown = typeof file === 'string' && typeof version === 'string' && typeof size === 'number';
    return isKnown && typeof digest === 'string' && isDigest(digest) ? { file, version, size, digest } : undefined;
  } catch {
    return undefined;
  }
}

async function writeKnown(file: string, { wheel }: Extract<WheelOutcome, { kind: 'wheel' }>): Promise<void> {
  const { version, size, digest } = wheel;
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}`;
  await writeFile(partial, canonicalJson({ file: wheel.file, version, size, digest }));
  await rename(partial, file);
}
