import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { canonicalJson } from '../base/canonical-json.ts';
import { hexOf } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { shellWord } from '../base/shell-word.ts';
import { formatSize } from '../base/units.ts';
import type { PipelineContext } from '../pipeline-context.ts';
import { FILESYSTEM_COMPRESSIONS } from '../publish/filesystem-image.ts';
import { archiveLayout } from '../publish/layout-archive.ts';
import { withOciImages } from '../publish/oci-images.ts';
import { writeOciLayout, type WrittenImage } from '../publish/oci-layout.ts';
import type { Image } from '../store/image-record.ts';
import type { CommandContext } from './command-context.ts';
import { newOutput } from './export-output.ts';
import { exportedImages } from './exported-images.ts';
import type { ExportFlags } from './image-commands.ts';
import { namedImage } from './named-image.ts';
import { withImages } from './pipeline.ts';

/** What each format's layers or blocks may be compressed with; the first is taken where nothing is said. */
const COMPRESSIONS = { oci: ['gzip', 'none'], docker: ['none', 'gzip'], ...FILESYSTEM_COMPRESSIONS } as const;
type Format = keyof typeof COMPRESSIONS;

const EXAMPLES: Readonly<Record<Format, string>> = {
  oci: 'rootcellar export python -o python-oci',
  docker: 'rootcellar export python --format docker -o python.tar',
  squashfs: 'rootcellar export python --format squashfs -o python.squashfs',
  erofs: 'rootcellar export python --format erofs -o python.erofs',
};

/** `rootcellar export IMAGE -o PATH`: for what runs containers, or mounts images. */
export async function exportVerb(context: CommandContext, word: string, flags: ExportFlags): Promise<number> {
  const wanted = wantedExport(flags);
  const exported = await withImages(context, (pipeline) =>
    wanted.format === 'squashfs' || wanted.format === 'erofs'
      ? exportFilesystem(word, { ...wanted, format: wanted.format }, pipeline)
      : exportLayers(word, { ...wanted, compression: wanted.compression === 'none' ? 'none' : 'gzip' }, pipeline),
  );
  const { output, format } = wanted;
  context.reporter.result(`${output}\n${exported.map(({ text }) => `${text}\n`).join('')}`, {
    output,
    format,
    images: exported.map(({ json }) => json),
  });
  return 0;
}

interface Wanted {
  readonly format: Format;
  readonly compression: string;
  readonly output: string;
}

function wantedExport(flags: ExportFlags): Wanted {
  const format = chosen('--format', flags.format ?? 'oci', ['oci', 'docker', 'squashfs', 'erofs'] as const);
  const compression = chosen('--compression', flags.compression ?? COMPRESSIONS[format][0], COMPRESSIONS[format]);
  const { output } = flags;
  if (output === undefined) {
    throw new RootcellarError('E_USAGE', 'export: there is no -o', { hint: EXAMPLES[format] });
  }
  if (format === 'docker' && !output.endsWith('.tar')) {
    const hint = `-o ${shellWord(`${output.replace(/\/+$/, '')}.tar`)}`;
    throw new RootcellarError('E_USAGE', `-o \`${output}\`: Docker's format is one file`, { hint });
  }
  return { format, compression, output: resolve(output) };
}

function chosen<T extends string>(flag: string, word: string, words: readonly T[]): T {
  const found = words.find((one) => one === word);
  if (found !== undefined) return found;
  throw new RootcellarError('E_USAGE', `${flag} \`${word}\`: is not known`, { hint: `use ${words.join(' or ')}` });
}

/** One image, as people and programs are told of it. */
interface Exported {
  readonly text: string;
  readonly json: { readonly [key: string]: string | number | readonly string[] };
}

interface LayerExport extends Wanted {
  readonly compression: 'gzip' | 'none';
}

async function exportLayers(
  word: string,
  { format, compression, output }: LayerExport,
  pipeline: PipelineContext,
): Promise<readonly Exported[]> {
  // Docker's own format has one image.
  const images = format === 'docker' ? [await namedImage(word, pipeline)] : await exportedImages(word, pipeline);
  const written = await newOutput(output, async (temporary) => {
    const isArchive = output.endsWith('.tar');
    const folder = isArchive ? await pipeline.store.temporaryPath() : temporary;
    await mkdir(folder);
    const made = await withOciImages(pipeline.store, images, (parts) =>
      writeOciLayout({ images: parts, folder, reference: images[0]?.name ?? '', compression, ...pipeline }),
    );
    if (format === 'docker') await addDockerManifest(folder, images, made);
    if (isArchive) await archiveLayout(folder, temporary, pipeline.signal);
    return made;
  });
  return images.flatMap((image, index) => {
    const one = written[index];
    return one === undefined ? [] : [layersOf(image, one)];
  });
}

function layersOf({ architecture, generation, diffId }: Image, { digest, layers }: WrittenImage): Exported {
  return {
    text: `${architecture}: ${digest}, ${layers.length} layers, generation ${generation}`,
    json: { architecture, digest, layers, diff_id: diffId, generation },
  };
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

interface FilesystemExport extends Wanted {
  readonly format: keyof typeof FILESYSTEM_COMPRESSIONS;
}

/** One file, so one architecture. */
async function exportFilesystem(
  word: string,
  { format, compression, output }: FilesystemExport,
  { store, environment, signal, progress, ...rest }: PipelineContext,
): Promise<readonly Exported[]> {
  const image = await namedImage(word, { store, environment, signal, progress, ...rest });
  const { writeSquashfs, writeErofs } = await import('../publish/filesystem-image.ts');
  const step = 'export';
  progress({ kind: 'begin', step, title: `export ${format} for ${image.architecture}` });
  await newOutput(output, async (temporary) => {
    const scratch = await store.temporaryPath();
    await withOciImages(store, [image], async ([part]) => {
      if (part === undefined) throw new Error('unreachable: one image');
      const files = { output: temporary, title: output, scratch };
      const request = { ...part, ...files, diffId: image.diffId, compression, environment, signal };
      await (format === 'squashfs' ? writeSquashfs(request) : writeErofs(request));
    });
  });
  progress({ kind: 'end', step, summary: formatSize(image.size) });
  const { architecture, generation, diffId } = image;
  return [
    {
      text: `${architecture}: ${diffId}, generation ${generation}`,
      json: { architecture, diff_id: diffId, generation },
    },
  ];
}
