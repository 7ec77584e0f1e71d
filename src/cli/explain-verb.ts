import type { MissingInImage } from '../build-image.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { explainThing, type ExplainedImage, type Explanation } from '../explain-thing.ts';
import { packagesOfLibraries } from '../missing-packages.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { quotedWord } from '../recipe/quoted-value.ts';
import type { DebianBase, Recipe } from '../recipe/recipe.ts';
import { openContents } from '../store/contents.ts';
import { readManifest } from '../store/image-manifest.ts';
import { imageContents, readTree } from '../store/images.ts';
import { buildRecipe } from './build-verb.ts';
import type { CommandContext } from './command-context.ts';
import { architectureOf, isRecipe, namedImage } from './named-image.ts';
import { openRecipe, withImages } from './pipeline.ts';
import { visibleWord } from './visible-text.ts';

/**
 * `rootcellar explain`: why something is in an image, or is not. A recipe whose image is refused because libraries are
 * missing is explained all the same. Throws E_NOTHING_KNOWN when no story has to do with the thing.
 */
export async function explainVerb(context: CommandContext, word: string, thing: string): Promise<number> {
  const explanation = await withImages(context, (pipeline) => explain(word, thing, pipeline));
  const { stories, near } = explanation;
  if (stories.length === 0) {
    throw new RootcellarError(
      'E_NOTHING_KNOWN',
      `${quotedWord(thing)}: is no library, module, file, package or system call here`,
      {
        hint: near === undefined ? `rootcellar show ${word} lists the packages` : `did you mean \`${near}\`?`,
      },
    );
  }
  const text = stories.map(({ lines }) => `${lines.map(visibleWord).join('\n')}\n`).join('\n');
  context.reporter.result(text, { thing, stories: stories.map(({ kind, facts }) => Object.assign({ kind }, facts)) });
  return 0;
}

async function explain(word: string, thing: string, pipeline: PipelineContext): Promise<Explanation> {
  const recipe = isRecipe(word) ? await openRecipe(word) : undefined;
  let found: MissingInImage | undefined;
  const onMissing = (told: MissingInImage): void => {
    found = told;
  };
  try {
    const image = await (recipe === undefined
      ? namedImage(word, pipeline)
      : buildRecipe(recipe, architectureOf(recipe, pipeline), { pipeline, onMissing }));
    const { sandbox, interpreter } = readManifest(image.manifest);
    const tree = await readTree(pipeline.store, image);
    const contents = imageContents(pipeline.store, image);
    const { name, architecture } = image;
    const told = { name, architecture, tree, sandbox, program: interpreter?.path };
    return await explainThing({ ...told, contents, packagesOf: asker(recipe, told, pipeline) }, thing).finally(() =>
      contents.close(),
    );
  } catch (error) {
    if (!isMissing(error) || found === undefined || recipe === undefined) throw error;
    return await explainMissing(recipe, found, { thing, pipeline });
  }
}

async function explainMissing(
  recipe: Recipe,
  { tree, unpackedKeys }: MissingInImage,
  { thing, pipeline }: { readonly thing: string; readonly pipeline: PipelineContext },
): Promise<Explanation> {
  const contents = openContents(pipeline.store, unpackedKeys);
  const told = { name: recipe.name, architecture: architectureOf(recipe, pipeline), tree, program: undefined };
  const image = { ...told, sandbox: recipe.sandbox, contents, packagesOf: asker(recipe, told, pipeline) };
  return await explainThing(image, thing).finally(() => contents.close());
}

function isMissing(error: unknown): boolean {
  return error instanceof RootcellarError && error.code === 'E_LIBRARY_MISSING';
}

/** Without a recipe, the suite is what the image says of itself; where it says nothing, nothing is known. */
function asker(
  recipe: Recipe | undefined,
  { architecture, tree }: Pick<ExplainedImage, 'architecture' | 'tree'>,
  pipeline: PipelineContext,
): ExplainedImage['packagesOf'] {
  const base = recipe?.base ?? baseOf(tree);
  return async (libraries) => {
    if (base === undefined) return new Map();
    return await packagesOfLibraries({ recipe: { base }, architecture, libraries }, pipeline);
  };
}

/** By the version of its C library's package, which each release has one of. */
const SUITES: readonly (readonly [RegExp, string])[] = [
  [/^libc6 2\.31-/, 'bullseye'],
  [/^libc6 2\.36-/, 'bookworm'],
  [/^libc6 2\.41-/, 'trixie'],
];

function baseOf(tree: ExplainedImage['tree']): DebianBase | undefined {
  const suite = suiteOf(tree);
  if (suite === undefined) return undefined;
  return { kind: 'debian', suite, mirror: undefined, components: ['main'], packages: [] };
}

function suiteOf(tree: ExplainedImage['tree']): string | undefined {
  for (const { origin } of tree.values()) {
    const suite = origin.startsWith('libc6 ') ? SUITES.find(([pattern]) => pattern.test(origin))?.[1] : undefined;
    if (suite !== undefined) return suite;
  }
  return undefined;
}
