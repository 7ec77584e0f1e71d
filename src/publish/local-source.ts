import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hexOf, type Digest } from '../base/digest.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { digestOfSource, openRegularFile } from '../store/open-file.ts';
import { listFrom, recordFrom } from '../store/json-shape.ts';
import { parseDocument, type Descriptor } from './oci-documents.ts';
import type { BlobSource, TopDocument } from './offered-image.ts';

/** Files by the names that a layout or an archive has for them; undefined: there is no such file. */
export interface NamedFiles {
  /** For errors. */
  readonly title: string;
  readonly pathOf: (name: string) => string | undefined;
}

const LARGEST_DOCUMENT = 4 * 1024 ** 2;

/** The files of a layout in a folder. */
export function folderFiles(folder: string): NamedFiles {
  return { title: `\`${folder}\``, pathOf: (name) => join(folder, name) };
}

/** The blobs of a layout, each checked before it is used. */
export function layoutSource(files: NamedFiles, signal: AbortSignal): BlobSource {
  const checked = async (descriptor: Descriptor): Promise<string> => {
    const file = namedFile(files, `blobs/sha256/${hexOf(descriptor.digest)}`);
    const got = await digestOfFile(files, file, signal);
    if (got === descriptor.digest) return file;
    throw new RootcellarError('E_DIGEST_MISMATCH', `${files.title}: blob ${descriptor.digest}: has ${got}`, {
      hint: 'copy it again',
    });
  };
  return {
    title: files.title,
    text: async (descriptor) => readSmall(files, await checked(descriptor)),
    withFile: async (descriptor, use) => use(await checked(descriptor)),
  };
}

/** The top of a layout; undefined where there is none. With `name`, one image of several. Throws E_IMAGE_NOT_FOUND. */
export async function layoutTop(files: NamedFiles, name: string | undefined): Promise<TopDocument | undefined> {
  const path = files.pathOf('index.json');
  if (path === undefined || !existsSync(path)) return undefined;
  const text = await readSmall(files, path);
  const index = parseDocument(text, files.title, 'application/vnd.oci.image.index.v1+json');
  if (index.kind !== 'index') return { text, mediaType: '' };
  const names = [...new Set(index.entries.flatMap((entry) => entry.name ?? []))];
  if (name === undefined && names.length < 2) return { text, mediaType: '' };
  const chosen = listFrom(recordFrom(JSON.parse(text))['manifests']).filter(
    (_, at) => index.entries[at]?.name === name,
  );
  if (name === undefined || chosen.length === 0) throw severalImages(files, name, names);
  const narrowed = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: chosen };
  return { text: JSON.stringify(narrowed), mediaType: '' };
}

export function namedFile(files: NamedFiles, name: string): string {
  const path = files.pathOf(name);
  if (path !== undefined) return path;
  throw invalid(files, `has no \`${name}\`, which it names`);
}

export async function digestOfFile(files: NamedFiles, path: string, signal: AbortSignal): Promise<Digest> {
  const source = await openOrBlame(files, path);
  try {
    return await digestOfSource(source, signal);
  } finally {
    await source.close();
  }
}

export async function readSmall(files: NamedFiles, path: string): Promise<string> {
  const source = await openOrBlame(files, path);
  try {
    if (source.size > LARGEST_DOCUMENT) throw invalid(files, 'a document of it is too large');
    return Buffer.from(await source.read(0, source.size)).toString('utf8');
  } finally {
    await source.close();
  }
}

async function openOrBlame(
  files: NamedFiles,
  path: string,
): Promise<NonNullable<Awaited<ReturnType<typeof openRegularFile>>>> {
  try {
    const source = await openRegularFile(path);
    if (source !== undefined) return source;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT') && !isErrno(cause, 'EACCES') && !isErrno(cause, 'ENOTDIR')) throw cause;
  }
  throw invalid(files, `\`${path}\` is missing or cannot be read`);
}

export function severalImages(
  { title }: NamedFiles,
  name: string | undefined,
  names: readonly string[],
): RootcellarError {
  const fault = name === undefined ? 'has several images' : `has no image \`${name}\``;
  const there = names.length === 0 ? 'leave --image out' : `--image ${names.slice(0, 5).join(', or --image ')}`;
  return new RootcellarError('E_IMAGE_NOT_FOUND', `${title}: ${fault}`, { hint: there });
}

export function invalid({ title }: NamedFiles, fault: string, cause?: unknown): RootcellarError {
  return new RootcellarError('E_ARTIFACT_INVALID', `${title}: ${fault}`, { hint: 'copy it again', cause });
}
