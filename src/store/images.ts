import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import type { Tree } from '../assemble/tree.ts';
import { ARCHITECTURES, parseArchitecture } from '../base/architecture.ts';
import type { Architecture } from '../base/architecture.ts';
import { byteOrder } from '../base/byte-order.ts';
import { closestWord } from '../base/closest-word.ts';
import { hexOf } from '../base/digest.ts';
import type { Digest } from '../base/digest.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { openContents } from './contents.ts';
import type { ContentsOptions, OpenContents } from './contents.ts';
import { parseImage, parseTree } from './image-record.ts';
import type { Image } from './image-record.ts';
import { damaged } from './store-error.ts';
import type { Store } from './store.ts';
import { packPath } from './unpacked.ts';

/** What an image may be called: it names a folder. */
export const IMAGE_NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DIGEST_PREFIX = /^(?:sha256:)?([0-9a-f]{6,64})$/;

/**
 * The image that `reference` means: a name (its current generation), `NAME@2` (that generation), `NAME@arm64` or
 * `NAME@arm64@2`, or at least 6 hex digits of a digest.
 * `architecture` decides where there is one for each; without it, amd64 is preferred.
 * Throws E_IMAGE_NOT_FOUND, also when a prefix means several images.
 */
export async function findImage(store: Store, reference: string, architecture?: Architecture): Promise<Image> {
  const exact = await findExactly(store, reference, architecture);
  if (exact !== undefined) return exact;
  const wanted = architecture === undefined ? ARCHITECTURES : [architecture];
  const named = IMAGE_NAME.test(reference) ? await readCurrents(store, reference, wanted) : [];
  const [image] = named.length > 0 ? named : await findByDigest(store, reference, wanted);
  if (image !== undefined) return image;
  throw await notFound(store, reference, architecture);
}

/** By a name with an architecture, a generation, or both after an `@` each; undefined for any other reference. */
async function findExactly(store: Store, reference: string, preferred?: Architecture): Promise<Image | undefined> {
  const [name = '', ...details] = reference.split('@');
  const numbers = details.filter((detail) => /^[1-9]\d{0,8}$/.test(detail)).map(Number);
  const architectures = details.flatMap((detail) => parseArchitecture(detail) ?? []);
  const isUnderstood = numbers.length + architectures.length === details.length && numbers.length < 2;
  if (details.length === 0 || !isUnderstood || architectures.length > 1 || !IMAGE_NAME.test(name)) return undefined;
  const wanted = architectures.length > 0 ? architectures : [preferred ?? 'amd64'];
  const [number] = numbers;
  if (number === undefined) return (await readCurrents(store, name, wanted))[0];
  const generations = await Promise.all(
    wanted.map((architecture) => readImage(generationPath(store, name, { architecture, number }))),
  );
  return generations.find((image) => image !== undefined);
}

/** The current generation of every name and architecture, in byte order. */
export async function listImages(store: Store): Promise<readonly Image[]> {
  const names = await folderNames(store.path('names'));
  return (await Promise.all(names.map((name) => readCurrents(store, name, ARCHITECTURES)))).flat();
}

/** All generations of a name for an architecture, oldest first. */
export async function listGenerations(
  store: Store,
  name: string,
  architecture: Architecture,
): Promise<readonly Image[]> {
  const numbers = await generationNumbers(store, name, architecture);
  const images = await Promise.all(
    numbers.map((number) => readImage(generationPath(store, name, { architecture, number }))),
  );
  return images.filter((image) => image !== undefined);
}

/**
 * The image that is current and was built from just these inputs. Two small reads, and a look at whether its tree and its
 * unpacked artifacts are there: undefined when one is missing, so that a build brings it back.
 */
export async function findByInputs(store: Store, inputsKey: Digest): Promise<Image | undefined> {
  const image = await readImage(store.path('inputs', hexOf(inputsKey)));
  if (image === undefined || image.inputsKey !== inputsKey) return undefined;
  const current = await readCurrent(store, image.name, image.architecture);
  if (current?.generation !== image.generation) return undefined;
  return missingFile(store, image) === undefined ? image : undefined;
}

/** A file of the store that the image needs and that is not there. */
export function missingFile(store: Store, { diffId, unpackedKeys }: Image): string | undefined {
  const files = [treePath(store, diffId), ...unpackedKeys.map((key) => packPath(store, key))];
  return files.find((file) => !existsSync(file));
}

/** Why an image that was found before cannot be used: it has been removed since, or else `error`. */
export function removalOr(store: Store, image: Image, error: unknown): unknown {
  const { name, architecture, generation, diffId } = image;
  const record = generationPath(store, name, { architecture, number: generation });
  if (existsSync(record) || existsSync(treePath(store, diffId))) return error;
  return new RootcellarError('E_IMAGE_NOT_FOUND', `image \`${name}\`: its generation ${generation} was removed`, {
    hint: `rootcellar images ${name} --generations`,
    cause: error,
  });
}

/** When this generation was made, as RFC 3339 writes times. */
export async function madeAt(store: Store, { name, architecture, generation }: Image): Promise<string> {
  const { mtime } = await stat(generationPath(store, name, { architecture, number: generation }));
  return `${mtime.toISOString().slice(0, 19)}Z`;
}

/** The image's files. Throws E_STORE_INVALID when they are missing or damaged. */
export async function readTree(store: Store, { diffId }: Pick<Image, 'diffId'>): Promise<Tree> {
  const path = treePath(store, diffId);
  try {
    return parseTree(await readFile(path, 'utf8'));
  } catch (error) {
    throw damaged(path, isErrno(error, 'ENOENT') ? 'is missing' : 'is damaged', error);
  }
}

/** The contents of the image's files. The caller closes them. Throws E_STORE_INVALID when some are missing. */
export function imageContents(store: Store, { unpackedKeys }: Image, options: ContentsOptions = {}): OpenContents {
  return openContents(store, unpackedKeys, options);
}

export function treePath(store: Store, diffId: Digest): string {
  return store.path('images', hexOf(diffId));
}

export async function readCurrent(store: Store, name: string, architecture: Architecture): Promise<Image | undefined> {
  return readImage(store.path('names', name, architecture, 'current'));
}

/** Numbers of the generations, ascending; empty when there are none. */
export async function generationNumbers(
  store: Store,
  name: string,
  architecture: Architecture,
): Promise<readonly number[]> {
  const names = await folderNames(store.path('names', name, architecture));
  return names
    .flatMap((file) => (/^[1-9]\d{0,8}\.json$/.test(file) ? [Number.parseInt(file, 10)] : []))
    .toSorted((a, b) => a - b);
}

/** The least number that a new generation may have: those of newer ones that are gone are not used again. */
export async function nextNumber(store: Store, name: string, architecture: Architecture): Promise<number> {
  try {
    return Number.parseInt(await readFile(nextNumberPath(store, name, architecture), 'utf8'), 10) || 1;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 1;
    throw error;
  }
}

export function nextNumberPath(store: Store, name: string, architecture: Architecture): string {
  return store.path('names', name, architecture, 'next');
}

export interface GenerationId {
  readonly architecture: Architecture;
  readonly number: number;
}

export function generationPath(store: Store, name: string, { architecture, number }: GenerationId): string {
  return store.path('names', name, architecture, `${number}.json`);
}

async function readCurrents(
  store: Store,
  name: string,
  architectures: readonly Architecture[],
): Promise<readonly Image[]> {
  const images = await Promise.all(architectures.map((architecture) => readCurrent(store, name, architecture)));
  return images.filter((image) => image !== undefined);
}

async function findByDigest(
  store: Store,
  reference: string,
  architectures: readonly Architecture[],
): Promise<readonly Image[]> {
  const prefix = DIGEST_PREFIX.exec(reference)?.[1];
  if (prefix === undefined) return [];
  const names = await folderNames(store.path('names'));
  const searches = names.flatMap((name) =>
    architectures.map((architecture) => listGenerations(store, name, architecture)),
  );
  const found = (await Promise.all(searches)).flat().filter(({ diffId }) => hexOf(diffId).startsWith(prefix));
  if (new Set(found.map(({ diffId }) => diffId)).size > 1) {
    throw new RootcellarError('E_IMAGE_NOT_FOUND', `image \`${reference}\`: several images begin so`, {
      hint: `give more digits, such as \`${found[0]?.diffId ?? ''}\``,
    });
  }
  return found.toReversed();
}

/** E_IMAGE_NOT_FOUND, with what is there instead. */
export async function notFound(store: Store, reference: string, architecture?: Architecture): Promise<RootcellarError> {
  const images = await listImages(store);
  const elsewhere = images.filter(({ name }) => name === reference).map((image) => image.architecture);
  const forWhat = architecture === undefined ? '' : ` for ${architecture}`;
  if (elsewhere.length > 0) {
    return new RootcellarError('E_IMAGE_NOT_FOUND', `image \`${reference}\`: there is none${forWhat}`, {
      hint: `build it for ${architecture ?? 'this architecture'}; there is one for ${elsewhere.join(', ')}`,
    });
  }
  const near = closestWord(reference, [...new Set(images.map(({ name }) => name))]);
  return new RootcellarError(
    'E_IMAGE_NOT_FOUND',
    `image \`${reference}\`: there is no such image in \`${store.home}\``,
    {
      hint: near === undefined ? 'rootcellar build FOLDER_OF_A_RECIPE' : `did you mean \`${near}\`?`,
    },
  );
}

async function readImage(path: string): Promise<Image | undefined> {
  try {
    return parseImage(await readFile(path, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw damaged(path, 'is damaged', error);
  }
}

async function folderNames(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).toSorted(byteOrder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
