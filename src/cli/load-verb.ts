import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Architecture } from '../base/architecture.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import { loadRootfs } from '../load-rootfs.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { archiveFiles } from '../publish/archive-files.ts';
import { dockerImage } from '../publish/docker-archive.ts';
import { folderFiles, layoutSource, layoutTop, type NamedFiles } from '../publish/local-source.ts';
import { offeredImages, type OfferedImage } from '../publish/offered-image.ts';
import { temporaryFolder } from '../store/rootfs-folder.ts';
import { onDisk } from '../store/store-error.ts';
import type { Taken } from '../take-image.ts';
import type { CommandContext } from './command-context.ts';
import { withImages } from './pipeline.ts';
import type { LoadFlags } from './registry-commands.ts';
import { takeAll, takenArchitectures, takenName, tellTaken } from './taken-images.ts';

/** `rootcellar load PATH`: an image layout (folder or tar), an archive of docker, or the tar of a root file system. */
export async function loadVerb(context: CommandContext, word: string, flags: LoadFlags): Promise<number> {
  const path = resolve(word);
  const architectures = takenArchitectures(flags, context);
  const isFolder = await isDirectory(path, word);
  const taken = await withImages(context, async (pipeline) => {
    const { store, signal } = pipeline;
    const files = isFolder
      ? folderFiles(path)
      : await onDisk(store.home, async () => archiveFiles({ path, folder: await temporaryFolder(store), signal }));
    return files === undefined
      ? loadTar({ path, architectures, flags }, pipeline)
      : loadImage({ path, files, architectures, flags }, pipeline);
  });
  tellTaken(context, taken);
  return 0;
}

interface Loading {
  readonly path: string;
  readonly architectures: readonly Architecture[];
  readonly flags: LoadFlags;
}

async function loadTar({ path, architectures, flags }: Loading, pipeline: PipelineContext): Promise<readonly Taken[]> {
  const [architecture, ...more] = architectures;
  if (more.length > 0 || flags.image !== undefined) {
    throw new RootcellarError('E_USAGE', `\`${path}\`: is the tar of one root file system`, {
      hint: 'leave --image out, and give one --arch',
    });
  }
  const name = takenName(flags, plainName(path));
  return [{ image: await loadRootfs(path, pipeline, { name, architecture }), isKnown: false }];
}

async function loadImage(
  loading: Loading & { readonly files: NamedFiles },
  pipeline: PipelineContext,
): Promise<readonly Taken[]> {
  const { path, flags } = loading;
  const offered = await offeredIn(loading, pipeline.signal);
  const title = offered[0]?.config.labels.get('org.opencontainers.image.title');
  const name = takenName(flags, flags.image === undefined ? (title ?? plainName(path)) : nameIn(flags.image));
  return takeAll(offered, { name, trustPolicy: flags.trustPolicy }, pipeline);
}

async function offeredIn(
  { path, files, architectures, flags }: Loading & { readonly files: NamedFiles },
  signal: AbortSignal,
): Promise<readonly OfferedImage[]> {
  const isDocker = files.pathOf('oci-layout') === undefined && files.pathOf('manifest.json') !== undefined;
  if (!isDocker) {
    const top = await layoutTop(files, flags.image);
    if (top !== undefined) return offeredImages(layoutSource(files, signal), top, architectures);
    throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${path}\`: is no image layout: it has no \`index.json\``, {
      hint: `tar -C ${path} -cf rootfs.tar . && rootcellar load rootfs.tar`,
    });
  }
  const image = await dockerImage(files, flags.image, signal);
  if (architectures.includes(image.architecture) || flags.arch === undefined) return [image];
  throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${path}\`: is for ${image.architecture}`, {
    hint: `--arch ${image.architecture}`,
  });
}

/** Without folders and endings. */
function plainName(path: string): string {
  return basename(path).replace(/(?:\.tar)?(?:\.(?:gz|xz|zst|tgz))?$/, '');
}

/** `python` of `docker.io/library/python:3.12`. */
function nameIn(reference: string): string {
  const [place = ''] = reference.split('@');
  return place.slice(place.lastIndexOf('/') + 1).split(':')[0] ?? '';
}

async function isDirectory(path: string, word: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const fault = isErrno(cause, 'EACCES') ? 'may not be read' : 'is not there';
    throw new RootcellarError('E_IMAGE_NOT_FOUND', `\`${word}\`: ${fault}`, {
      hint: 'rootcellar export IMAGE -o FOLDER makes one',
      cause,
    });
  }
}
