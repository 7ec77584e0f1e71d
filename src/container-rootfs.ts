import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contents, Entry, Tree } from './assemble/tree.ts';
import type { Architecture } from './base/architecture.ts';
import { digestOf, type Digest } from './base/digest.ts';
import { isErrno, RootcellarError } from './base/rootcellar-error.ts';
import { CONTAINER_ROOT, containerPlans } from './container-plans.ts';
import { writeRootfs } from './pack/rootfs-writer.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { readManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { imageContents, readTree } from './store/images.ts';

/**
 * Writes the tar of a whole container: the image's files, the launcher for their architecture, and a plan for each tier. In it
 * `/.rootcellar/cell run …` runs programs without Node.js. Equal images give equal bytes, whatever machine writes them.
 * Throws E_SANDBOX where that launcher was not built, and what `containerPlans` and `writeRootfs` throw.
 */
export async function writeContainer(image: Image, output: string, context: PipelineContext): Promise<void> {
  const { store, signal, progress } = context;
  const { epoch } = readManifest(image.manifest);
  const plans = [...(await containerPlans(store, image))];
  const files: readonly OwnFile[] = [
    { path: '.rootcellar/cell', mode: 0o555, bytes: await launcher(image.architecture) },
    ...plans.map(([tier, bytes]) => ({ path: `.rootcellar/plans/${tier}`, mode: 0o444, bytes })),
  ];
  const contents = imageContents(store, image);
  try {
    const tree = new Map([...ownEntries(files, epoch), ...moved(await readTree(store, image))]);
    await writeRootfs({ tree, contents: withOwn(files, contents), output, signal, progress });
  } finally {
    contents.close();
  }
}

async function launcher(architecture: Architecture): Promise<Uint8Array> {
  const path = join(import.meta.dirname, '../native/build', architecture, 'cell');
  try {
    return await readFile(path);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) throw cause;
    throw new RootcellarError('E_SANDBOX', `launcher: there is none for ${architecture}, \`${path}\``, {
      hint: 'install a compiler for it (Debian: gcc-aarch64-linux-gnu, or gcc-x86-64-linux-gnu), and `make -C native`',
      cause,
    });
  }
}

const PREFIX = CONTAINER_ROOT.slice(1);

function moved(tree: Tree): readonly (readonly [string, Entry])[] {
  return [...tree.values()].map((entry) => {
    const path = `${PREFIX}/${entry.path}`;
    return [
      path,
      entry.kind === 'hardlink' ? { ...entry, path, target: `${PREFIX}/${entry.target}` } : { ...entry, path },
    ];
  });
}

/** Folders of the container that are not the image's, and their modes. `/tmp` is where tier D has its runs. */
const FOLDERS: readonly (readonly [path: string, mode: number])[] = [
  ['.rootcellar', 0o755],
  ['.rootcellar/plans', 0o755],
  ['rootfs', 0o755],
  [PREFIX, 0o755],
  ['run', 0o755],
  ['tmp', 0o1777],
];

/** What a container has besides the image's files. */
interface OwnFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

function ownEntries(files: readonly OwnFile[], mtime: number): readonly (readonly [string, Entry])[] {
  const common = { uid: 0, gid: 0, mtime, origin: 'rootcellar' };
  return [
    ...FOLDERS.map(([path, mode]) => [path, { ...common, kind: 'directory', path, mode }] as const),
    ...files.map(({ path, mode, bytes }) => {
      return [path, { ...common, kind: 'file', path, mode, size: bytes.length, digest: digestOf(bytes) }] as const;
    }),
  ];
}

function withOwn(files: readonly OwnFile[], others: Contents): Contents {
  const own = new Map<Digest, Uint8Array>(files.map(({ bytes }) => [digestOf(bytes), bytes]));
  return {
    chunks: (digest, size) => {
      const bytes = own.get(digest);
      return bytes === undefined ? others.chunks(digest, size) : [bytes];
    },
  };
}
