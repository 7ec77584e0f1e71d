import { basename, dirname, join } from 'node:path';
import { byteOrder } from '../base/byte-order.ts';
import { digestOf } from '../base/digest.ts';
import type { ImagePath } from '../base/image-path.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import type { Problem, SourcePlace } from '../base/rootcellar-error.ts';
import { formatSize } from '../base/units.ts';
import { readBoundedFile, readFileBelow } from './bounded-file.ts';
import { quotedWord } from './quoted-value.ts';
import { locateRecipe, recipeNotFound, type RecipeLocation } from './recipe-location.ts';
import type { Recipe, RecipeFile, SandboxSettings, SmokeTest } from './recipe.ts';
import { parseRecipe } from './recipe-reader.ts';
import type { RecipeText } from './recipe-reader.ts';
import type { FileContent } from './recipe-schema.ts';
import { readPythonRequirements } from './recipe-requirements.ts';
import type { SyscallVocabulary } from './syscall-vocabulary.ts';
import { brokenUtf8Place, decodeUtf8 } from './utf8-text.ts';

const LARGEST_TEXT = 1024 ** 2;
const LARGEST_FILE = 16 * 1024 ** 2;
const LARGEST_TOGETHER = 64 * 1024 ** 2;

/**
 * Reads a recipe and every file that it names. `path` is a recipe file or the folder of a `recipe.yaml`; links on the way to
 * the recipe itself are followed, and its folder is the one that it really lies in.
 * A function of what it reads by `bounded-file.ts` and of `vocabulary`, and of nothing else: it is not done again while the
 * files are the same. Throws E_RECIPE_* and E_REQUIREMENT_SYNTAX; all problems of the recipe together, then all problems of its files together.
 */
export async function readRecipe(path: string, vocabulary: SyscallVocabulary): Promise<Recipe> {
  const location = await locateRecipe(path);
  const { text, content } = await readRecipeText(location);
  const recipe = parseRecipe(text, { file: location.shown, vocabulary });
  const reading: Reading = { location, recipe, contents: new Map(), problems: [], bytes: 0 };
  const python = await readPython(reading);
  const files = await readFiles(reading);
  const smokeTest = await readSmokeTest(reading);
  if (reading.problems.length > 0) throw RootcellarError.ofProblems(reading.problems);
  const contents = new Map([...reading.contents, [basename(location.file), content]]);
  const sources = [...contents].map(([name, bytes]) => ({ path: name, digest: digestOf(bytes) }));
  const { refresh, ...document } = recipe.document;
  return {
    ...document,
    ...(refresh === undefined ? {} : { refresh: { ...refresh, smokeTest } }),
    sandbox: withPreimport(recipe),
    base: withPlaces(recipe),
    file: location.file,
    python,
    files,
    sources: sources.toSorted((a, b) => byteOrder(a.path, b.path)),
  };
}

/** It is a matter of runs, and not of what is in the image. */
function withPreimport({ document: { sandbox, python } }: RecipeText): SandboxSettings {
  const preimport = python?.preimport ?? [];
  return preimport.length === 0 ? sandbox : { ...sandbox, preimport };
}

/** What is said of this machine is looked at much later than the rest, and then must be found again in the recipe. */
function withPlaces(recipe: RecipeText): Recipe['base'] {
  const { base } = recipe.document;
  if (base.kind === 'debian') return base;
  const path = ['base', 'host', 'python_lib_path'];
  const libraries = base.libraryPaths.map((library, index) => ({
    path: library,
    place: recipe.valuePlace([...path, index]),
  }));
  return {
    kind: 'host',
    pythonPath: base.pythonPath,
    libraries,
    place: recipe.valuePlace(['base', 'host', 'python_path']),
  };
}

async function readRecipeText(
  location: RecipeLocation,
): Promise<{ readonly text: string; readonly content: Uint8Array }> {
  const result = await readBoundedFile(location.file, LARGEST_TEXT);
  if (result.kind === 'missing') throw recipeNotFound(location.shown, 'does not exist');
  if (result.kind === 'refused') {
    const place = { file: location.shown, line: 1, column: 1 };
    const hint = `name a recipe file of at most ${formatSize(LARGEST_TEXT)}`;
    throw new RootcellarError('E_RECIPE_SYNTAX', `the recipe ${result.fault}`, { place, hint });
  }
  const { content } = result;
  const text = decodeUtf8(content);
  if (text !== undefined) return { text, content };
  const broken = { file: location.shown, ...brokenUtf8Place(content) };
  throw new RootcellarError('E_RECIPE_SYNTAX', 'the recipe is not UTF-8', {
    place: broken,
    hint: 'save the file as UTF-8',
  });
}

interface Reading {
  readonly location: RecipeLocation;
  readonly recipe: RecipeText;
  /** What has been read, by path relative to the recipe's folder. */
  readonly contents: Map<string, Uint8Array>;
  readonly problems: Problem[];
  /** Of `contents`. */
  bytes: number;
}

async function readPython(reading: Reading): Promise<Recipe['python']> {
  const { recipe, location, problems } = reading;
  const { python } = recipe.document;
  if (python === undefined) return undefined;
  return await readPythonRequirements(
    {
      document: python,
      folder: dirname(location.file),
      shown: location.shown,
      valuePlace: (path) => recipe.valuePlace(path),
      readNamed: (name, place) => readNamed(reading, { name, place, mostBytes: LARGEST_TEXT }),
    },
    problems,
  );
}

async function readSmokeTest(reading: Reading): Promise<SmokeTest | undefined> {
  const name = reading.recipe.document.refresh?.smokeTest;
  if (name === undefined) return undefined;
  const place = reading.recipe.valuePlace(['refresh', 'smoke_test']);
  const content = await readNamed(reading, { name, place, mostBytes: LARGEST_TEXT });
  if (content === undefined) return undefined;
  const code = decodeUtf8(content);
  if (code !== undefined) return { path: name, code };
  const hint = 'save the file as UTF-8';
  reading.problems.push({ code: 'E_RECIPE_VALUE', message: `${quotedWord(name)} is not UTF-8`, hint, place });
  return undefined;
}

async function readFiles(reading: Reading): Promise<readonly RecipeFile[]> {
  const described = Object.entries(reading.recipe.document.files).toSorted(([a], [b]) => byteOrder(a, b));
  const files: RecipeFile[] = [];
  // One after the other, because what they hold together is bounded.
  await described.reduce(async (before, [path, file]) => {
    await before;
    const content = await readContent(reading, path, file);
    if (content !== undefined) files.push({ path, mode: file.mode, content });
  }, Promise.resolve());
  return files;
}

async function readContent(reading: Reading, path: ImagePath, file: FileContent): Promise<Uint8Array | undefined> {
  if (file.kind === 'text') return Buffer.from(file.text, 'utf8');
  const place = reading.recipe.valuePlace(['files', `/${path}`, 'from']);
  return await readNamed(reading, { name: file.from, place, mostBytes: LARGEST_FILE });
}

interface NamedFile {
  /** Relative to the recipe's folder. */
  readonly name: string;
  /** Where the recipe names it. */
  readonly place: SourcePlace;
  readonly mostBytes: number;
}

/** Reads a file that the recipe names; undefined after noting a problem. */
async function readNamed(reading: Reading, named: NamedFile): Promise<Uint8Array | undefined> {
  const known = reading.contents.get(named.name);
  if (known !== undefined) return known;
  const folder = dirname(reading.location.file);
  const result = await readFileBelow(folder, named.name, named.mostBytes);
  if (result.kind !== 'content') {
    reading.problems.push({ ...namedProblem(result, named.name, folder), place: named.place });
    return undefined;
  }
  reading.bytes += result.content.length;
  if (reading.bytes > LARGEST_TOGETHER) {
    const message = `the files of the recipe hold more than ${formatSize(LARGEST_TOGETHER)} together`;
    throw new RootcellarError('E_RECIPE_VALUE', message, {
      place: named.place,
      hint: 'bring large content in a package',
    });
  }
  reading.contents.set(named.name, result.content);
  return result.content;
}

type Unread = Exclude<Awaited<ReturnType<typeof readFileBelow>>, { readonly kind: 'content' }>;

function namedProblem(result: Unread, name: string, folder: string): Problem {
  if (result.kind === 'refused') {
    return { code: 'E_RECIPE_VALUE', message: `${quotedWord(name)} ${result.fault}`, hint: 'name another file' };
  }
  if (result.kind === 'missing') {
    const hint = `create ${quotedWord(join(folder, name))}`;
    return { code: 'E_RECIPE_NOT_FOUND', message: `${quotedWord(name)} does not exist`, hint };
  }
  const message = `${quotedWord(name)} leaves the folder of the recipe through a symbolic link`;
  return { code: 'E_RECIPE_PATH', message, hint: 'replace the link by a copy of the file' };
}
