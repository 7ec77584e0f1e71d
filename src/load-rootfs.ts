import { basename } from 'node:path';
import type { ByteSource } from './assemble/byte-source.ts';
import { readRootfsTar } from './assemble/tar-reader.ts';
import type { Architecture } from './base/architecture.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, shortDigest, type Digest } from './base/digest.ts';
import { isErrno, RootcellarError } from './base/rootcellar-error.ts';
import { knownInterpreter } from './known-interpreter.ts';
import { FORMAT_VERSION } from './lock/lockfile.ts';
import { writeRootfs } from './pack/rootfs-writer.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { DEFAULT_SANDBOX } from './recipe/recipe.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { compilePolicy } from './run/policy.ts';
import type { ArtifactSource } from './store/artifacts.ts';
import { openContents } from './store/contents.ts';
import { manifestJson, type ImageManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { findByInputs } from './store/images.ts';
import { knownTree } from './store/known-tree.ts';
import { digestOfSource, openRegularFile } from './store/open-file.ts';
import { putImage } from './store/put-image.ts';
import { withStoreUse } from './store/store-use.ts';
import { writeUnpacked } from './store/unpacked.ts';

/** What brought the files of a tar; not the tar's name, which says nothing of them. */
const NO_PACKAGE = 'files';
export interface LoadOptions {
  /** What it is to be called; `tar-` and the beginning of the file's digest unless said. */
  readonly name?: string | undefined;
  /** What it is for; this machine's unless said, because a tar says nothing. */
  readonly architecture?: Architecture | undefined;
}

/**
 * Any tar of a root filesystem → image. The tar is somebody's: nothing in it is believed, so its programs run under the
 * default policy. Throws E_IMAGE_NOT_FOUND, E_ARTIFACT_INVALID, E_FILE_CONFLICT.
 */
export async function loadRootfs(path: string, context: PipelineContext, options: LoadOptions = {}): Promise<Image> {
  const source = await openTar(path);
  try {
    const digest = await digestOfSource(source, context.signal);
    const key = digestOf(canonicalJson({ format: FORMAT_VERSION, tar: digest }));
    const { name, architecture = context.hostArchitecture } = options;
    const isUsual = name === undefined && architecture === context.hostArchitecture;
    const inputsKey = isUsual ? key : digestOf(canonicalJson({ key, name, architecture }));
    const existing = await findByInputs(context.store, inputsKey);
    const tar = { source, path, key, inputsKey, architecture, name: name ?? `tar-${shortDigest(digest)}` };
    if (existing !== undefined) return existing;
    return await withStoreUse(context.store, () => importTar(tar, context), context);
  } finally {
    await source.close();
  }
}

interface TarFile {
  readonly source: ByteSource;
  readonly path: string;
  /** Of what is unpacked. */
  readonly key: Digest;
  readonly inputsKey: Digest;
  readonly architecture: Architecture;
  readonly name: string;
}

async function importTar(tar: TarFile, context: PipelineContext): Promise<Image> {
  const { source, path, key, inputsKey, architecture, name } = tar;
  const { store, signal, progress } = context;
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
  const { program } = compileFilter(compilePolicy(DEFAULT_SANDBOX.syscalls, architecture), architecture);
  const manifest: ImageManifest = {
    name,
    architecture,
    format: FORMAT_VERSION,
    key,
    epoch: Math.max(0, ...unpacked.entries.map(({ mtime }) => mtime)),
    interpreter: knownInterpreter(tree),
    sandbox: DEFAULT_SANDBOX,
    filter: Buffer.from(program).toString('base64'),
  };
  return putImage(store, {
    name,
    architecture,
    ...rootfs,
    inputsKey,
    manifest: manifestJson(manifest),
    tree,
    unpackedKeys: [key],
  });
}

async function openTar(path: string): Promise<ArtifactSource> {
  try {
    const source = await openRegularFile(path);
    if (source !== undefined) return source;
  } catch (cause) {
    const fault = isErrno(cause, 'EACCES') ? 'may not be read' : 'there is no such file';
    throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${path}\`: ${fault}`, { hint: 'rootcellar images', cause });
  }
  throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${path}\`: is not a regular file`, { hint: 'rootcellar images' });
}
