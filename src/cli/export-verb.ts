import { lstat, mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ARCHITECTURES } from '../base/architecture.ts';
import { canonicalJson } from '../base/canonical-json.ts';
import { hexOf } from '../base/digest.ts';
import { halfMadeFile } from '../base/half-made-file.ts';
import { isErrno, RootcellarError } from '../base/rootcellar-error.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { archiveLayout } from '../publish/layout-archive.ts';
import { writeOciLayout, type OciImage, type WrittenImage } from '../publish/oci-layout.ts';
import { readManifest } from '../store/image-manifest.ts';
import type { Image } from '../store/image-record.ts';
import { imageContents, readCurrent, readTree } from '../store/images.ts';
import type { CommandContext } from './command-context.ts';
import type { ExportFlags } from './image-commands.ts';
import { namedImage } from './named-image.ts';
import { withPipeline } from './pipeline.ts';

const FORMATS = ['oci', 'docker'] as const;
type Format = (typeof FORMATS)[number];

/** `rootcellar export IMAGE -o PATH`: for what runs containers; of all architectures that the image is there for. */
export async function exportVerb(context: CommandContext, word: string, flags: ExportFlags): Promise<number> {
  const format = chosen('--format', flags.format ?? 'oci', FORMATS);
  const compression = chosen('--compression', flags.compression ?? (format === 'docker' ? 'none' : 'gzip'), [
    'gzip',
    'none',
  ] as const);
  const output = outputOf(flags.output, format);
  await refuseTaken(output);
  const { images, written } = await withPipeline(context, async (pipeline) => {
    const found = await exported(word, format, pipeline);
    const work = halfMadeFile(output);
    try {
      await mkdir(work);
      const made = await writeLayout(found, { folder: work, compression }, pipeline);
      if (format === 'docker') await addDockerManifest(work, found, made);
      await publish(work, output, pipeline.signal);
      return { images: found, written: made };
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  const lines = written.map(
    ({ architecture, digest, layers }) => `${architecture}: ${digest}, ${layers.length} layers\n`,
  );
  context.reporter.result(`${output}\n${lines.join('')}`, {
    output,
    format,
    images: written.map(({ architecture, digest, layers }, index) => {
      return { architecture, digest, layers, diff_id: images[index]?.diffId ?? '' };
    }),
  });
  return 0;
}

function chosen<T extends string>(flag: string, word: string, words: readonly T[]): T {
  const found = words.find((one) => one === word);
  if (found !== undefined) return found;
  throw new RootcellarError('E_USAGE', `${flag} \`${word}\`: is not known`, { hint: `use ${words.join(' or ')}` });
}

function outputOf(output: string | undefined, format: Format): string {
  if (output === undefined) {
    throw new RootcellarError('E_USAGE', 'export: there is no -o', {
      hint:
        format === 'docker'
          ? 'rootcellar export python --format docker -o python.tar'
          : 'rootcellar export python -o python-oci',
    });
  }
  if (format === 'docker' && !output.endsWith('.tar')) {
    throw new RootcellarError('E_USAGE', `-o \`${output}\`: Docker's format is one file`, { hint: `-o ${output}.tar` });
  }
  return resolve(output);
}

/** An export never replaces what somebody has there, but for an empty folder. */
async function refuseTaken(output: string): Promise<void> {
  try {
    const status = await lstat(output);
    if (status.isDirectory() && !output.endsWith('.tar') && (await readdir(output)).length === 0) {
      await rmdir(output);
      return;
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  throw new RootcellarError('E_USAGE', `-o \`${output}\`: is there already`, { hint: `rm -r ${output}` });
}

/** Docker's own format has one image. Of a digest or a generation, only that is meant. */
async function exported(word: string, format: Format, pipeline: PipelineContext): Promise<readonly Image[]> {
  const image = await namedImage(word, pipeline);
  if (word !== image.name || format === 'docker') return [image];
  const all = await Promise.all(ARCHITECTURES.map((name) => readCurrent(pipeline.store, image.name, name)));
  return all.filter((one) => one !== undefined);
}

interface Layout {
  readonly folder: string;
  readonly compression: 'gzip' | 'none';
}

async function writeLayout(
  images: readonly Image[],
  { folder, compression }: Layout,
  { store, signal, progress }: PipelineContext,
): Promise<readonly WrittenImage[]> {
  const opened = images.map((image) => imageContents(store, image));
  try {
    const parts = await Promise.all(
      images.map(async (image, index): Promise<OciImage> => {
        const { epoch, interpreter } = readManifest(image.manifest);
        const contents = opened[index];
        if (contents === undefined) throw new Error('unreachable: each has contents');
        return {
          architecture: image.architecture,
          tree: await readTree(store, image),
          contents,
          epoch,
          command: interpreter === undefined ? [] : [interpreter.path],
          labels: { 'org.opencontainers.image.title': image.name, 'rootcellar.diff_id': image.diffId },
        };
      }),
    );
    const reference = images[0]?.name ?? '';
    return await writeOciLayout({ images: parts, folder, reference, compression, signal, progress });
  } finally {
    for (const one of opened) one.close();
  }
}

/** Which `docker load` has always read; the layout beside it is what newer engines and others read. */
async function addDockerManifest(
  folder: string,
  [image]: readonly Image[],
  [written]: readonly WrittenImage[],
): Promise<void> {
  if (image === undefined || written === undefined) throw new Error('unreachable: one image');
  const manifest = [
    {
      Config: `blobs/sha256/${hexOf(written.config)}`,
      RepoTags: [`${image.name.toLowerCase()}:${image.generation}`],
      Layers: written.layers.map((digest) => `blobs/sha256/${hexOf(digest)}`),
    },
  ];
  await writeFile(join(folder, 'manifest.json'), canonicalJson(manifest));
}

/** At once, and only when it is whole. */
async function publish(work: string, output: string, signal: AbortSignal): Promise<void> {
  if (!output.endsWith('.tar')) {
    await rename(work, output);
    return;
  }
  const archive = halfMadeFile(output);
  try {
    await archiveLayout(work, archive, signal);
    await rename(archive, output);
  } finally {
    await rm(archive, { force: true });
  }
}
