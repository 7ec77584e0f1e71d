import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import { buildImage } from '../build-image.ts';
import type { Lockfile } from '../lock/lockfile.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Image } from '../store/image-record.ts';
import { readCurrent } from '../store/images.ts';
import type { ImportRow } from './import-test.ts';
import { testImage, type TestedImage } from './image-tests.ts';

/** Why an update is not taken. */
export interface UpdateFault {
  readonly architecture: Architecture;
  /** The package in which it shows, where one is known. */
  readonly package: string | undefined;
  /** One line for people. */
  readonly message: string;
}

/** A lockfile's images, built beside what is current and tried out. */
export interface TriedUpdate {
  /** By the lockfile; none where one could not be built. */
  readonly images: readonly Image[];
  readonly faults: readonly UpdateFault[];
  /** System calls that the tests of an image asked for in vain, and did not ask for before; none where nothing was before. */
  readonly newCalls: readonly string[];
}

export interface Update {
  readonly recipe: Recipe;
  readonly lock: Lockfile;
  readonly architectures: readonly Architecture[];
}

/** What a new image lacks or is: another try gives the same. All other errors are this machine's or the network's, and thrown. */
const FAULTS: ReadonlySet<ErrorCode> = new Set([
  'E_ARTIFACT_INVALID',
  'E_BYTECODE',
  'E_DIGEST_MISMATCH',
  'E_FILE_CONFLICT',
  'E_LIBRARY_MISSING',
  'E_TRIM',
]);

/** Tests what serves now, once for however many updates are tried against it. */
export function testedBefore(recipe: Recipe, context: PipelineContext): () => Promise<TestedImage | undefined> {
  let tested: Promise<TestedImage | undefined> | undefined;
  const test = async (): Promise<TestedImage | undefined> => {
    const current = await readCurrent(context.store, recipe.name, context.hostArchitecture);
    return current === undefined ? undefined : testImage(current, recipe.refresh?.smokeTest, context);
  };
  return () => (tested ??= test());
}

/**
 * Builds the images of an update, with every check of a build, and tests that of this machine's architecture. An import that
 * failed in what serves, too, is no fault; a smoke test must pass. Nothing is current by this that was not before.
 */
export async function tryUpdate(
  update: Update,
  before: () => Promise<TestedImage | undefined>,
  context: PipelineContext,
): Promise<TriedUpdate> {
  const { recipe, lock, architectures } = update;
  const images: Image[] = [];
  for (const architecture of architectures) {
    try {
      images.push(await buildImage({ recipe, lock, architecture, output: undefined, isCandidate: true }, context));
    } catch (error) {
      if (!(error instanceof RootcellarError) || !FAULTS.has(error.code)) throw error;
      const faults = error.problems.map(({ message }) => ({ architecture, package: undefined, message }));
      return { images: [], faults, newCalls: [] };
    }
  }
  const own = images.find(({ architecture }) => architecture === context.hostArchitecture);
  if (own === undefined) return { images, faults: [], newCalls: [] };
  const tested = await testImage(own, recipe.refresh?.smokeTest, context);
  return { images, ...compareTests(recipe, { own, tested, earlier: await before() }) };
}

interface Tests {
  readonly own: Image;
  readonly tested: TestedImage;
  readonly earlier: TestedImage | undefined;
}

function compareTests(recipe: Recipe, { own, tested, earlier }: Tests): Pick<TriedUpdate, 'faults' | 'newCalls'> {
  const { architecture } = own;
  const known = new Set(earlier?.imports.map(keyOf));
  const faults = tested.imports
    .filter((row) => !known.has(keyOf(row)))
    .map(({ distribution, module, error }): UpdateFault => {
      const what = module === '' ? `importing ${distribution}` : `\`import ${module}\` of ${distribution}`;
      return { architecture, package: distribution, message: `${what}: ${error}` };
    });
  if (tested.smoke !== undefined) {
    const path = recipe.refresh?.smokeTest?.path ?? 'the smoke test';
    const also = earlier?.smoke === undefined ? '' : ' (as it does in what serves)';
    faults.push({ architecture, package: undefined, message: `${path} ${tested.smoke}${also}` });
  }
  const newCalls = earlier === undefined ? [] : [...tested.denied].filter((name) => !earlier.denied.has(name));
  return { faults, newCalls: newCalls.toSorted(byteOrder) };
}

function keyOf({ distribution, module }: ImportRow): string {
  return `${distribution} ${module}`;
}
