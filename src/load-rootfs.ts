import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { constants, open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { readRootfsTar } from './assemble/tar-reader.ts';
import type { Tree } from './assemble/tree.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, shortDigest, type Digest } from './base/digest.ts';
import { isErrno, RootcellarError } from './base/rootcellar-error.ts';
import { FORMAT_VERSION } from './lock/lockfile.ts';
import { writeRootfs } from './pack/rootfs-writer.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { DEFAULT_SANDBOX } from './recipe/recipe.ts';
import type { Interpreter } from './resolve/resolution.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { compilePolicy } from './run/policy.ts';
import { openContents } from './store/contents.ts';
import { manifestJson, type ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { findByInputs, readTree, treePath } from './store/images.ts';
import { putImage } from './store/put-image.ts';
import type { Store } from './store/store.ts';
import { writeUnpacked } from './store/unpacked.ts';

/** What brought the files of a tar; not the tar's name, which says nothing of them. */
const NO_PACKAGE = 'files';
/** Where systems have their Python, the likeliest first. */
const INTERPRETERS = ['usr/bin/python3', 'usr/local/bin/python3', 'bin/python3'];

/**
 * Any tar of a root filesystem → image, under the name `tar-` and the beginning of the file's digest. The tar is somebody's:
 * nothing in it is believed, so its programs run under the default policy.
 * Throws E_IMAGE_NOT_FOUND, E_ARTIFACT_INVALID, E_FILE_CONFLICT.
 */
export async function loadRootfs(path: string, context: PipelineContext): Promise<Image> {
  const file = await openTar(path);
  try {
    const digest = await digestOfFile(file);
    const key = digestOf(canonicalJson({ format: FORMAT_VERSION, tar: digest }));
    const existing = await findByInputs(context.store, key);
    return existing ?? (await importTar({ file, path, digest, key }, context));
  } finally {
    await file.close();
  }
}

interface TarFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly digest: Digest;
  readonly key: Digest;
}

async function importTar({ file, path, digest, key }: TarFile, context: PipelineContext): Promise<Image> {
  const { store, signal, progress, hostArchitecture: architecture } = context;
  const { size } = await file.stat();
  const source = { size, read: (offset: number, length: number) => readRange(file, offset, length) };
  progress({ kind: 'begin', step: 'unpack', title: `unpack ${basename(path)}` });
  const unpacked = await writeUnpacked(store, key, async (sink) => {
    const { tree, warnings } = await readRootfsTar({ source, name: basename(path), origin: NO_PACKAGE, sink });
    for (const message of warnings) progress({ kind: 'warning', message });
    return { entries: [...tree.values()], scripts: [], metadata: '' };
  });
  progress({ kind: 'end', step: 'unpack', summary: `${unpacked.entries.length} files` });
  const plain = new Map(unpacked.entries.map((entry) => [entry.path, entry]));
  const contents = openContents(store, [key]);
  const rootfs = await writeRootfs({ tree: plain, contents, signal, progress }).finally(() => contents.close());
  const tree = (await knownTree(store, rootfs.diffId)) ?? plain;
  const name = `tar-${shortDigest(digest)}`;
  const { program } = compileFilter(compilePolicy(DEFAULT_SANDBOX.syscalls, architecture), architecture);
  const manifest: ImageManifest = {
    name,
    architecture,
    format: FORMAT_VERSION,
    key,
    epoch: Math.max(0, ...unpacked.entries.map(({ mtime }) => mtime)),
    interpreter: interpreterOf(tree),
    sandbox: DEFAULT_SANDBOX,
    filter: Buffer.from(program).toString('base64'),
  };
  return putImage(store, {
    name,
    architecture,
    ...rootfs,
    inputsKey: key,
    manifest: manifestJson(manifest),
    tree,
    unpackedKeys: [key],
  });
}

/** The tree of an image with the same bytes that was built here: it knows besides where its files come from. */
async function knownTree(store: Store, diffId: Digest): Promise<Tree | undefined> {
  return existsSync(treePath(store, diffId)) ? await readTree(store, { diffId }) : undefined;
}

/** Only the path is needed to run programs; nothing is known of the rest. */
function interpreterOf(tree: Tree): Interpreter | undefined {
  const path = INTERPRETERS.find((candidate) => tree.has(candidate));
  return path === undefined ? undefined : { version: '', path: `/${path}`, glibc: '', sitePath: '', prefix: '' };
}

async function openTar(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    const fault = isErrno(cause, 'EACCES') ? 'may not be read' : 'there is no such file';
    throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${path}\`: ${fault}`, { hint: 'rootcellar images', cause });
  }
  throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${path}\`: is not a regular file`, { hint: 'rootcellar images' });
}

async function digestOfFile(file: FileHandle): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

async function readRange(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}
