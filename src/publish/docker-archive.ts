import { stat } from 'node:fs/promises';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { listFrom, recordFrom, textFrom, textsFrom } from '../store/json-shape.ts';
import { digestOfFile, invalid, namedFile, readSmall, severalImages, type NamedFiles } from './local-source.ts';
import { parseConfig, type Descriptor } from './oci-documents.ts';
import { malformed, MOST_LAYERS, offeredLayers, type BlobSource, type OfferedImage } from './offered-image.ts';

interface FoundLayer {
  readonly file: string;
  readonly descriptor: Descriptor;
}

/** The image of an archive that only docker's own manifest describes; with `name`, one of several. Throws as `offeredImages`. */
export async function dockerImage(
  files: NamedFiles,
  name: string | undefined,
  signal: AbortSignal,
): Promise<OfferedImage> {
  const text = await readSmall(files, namedFile(files, 'manifest.json'));
  const images = reading(files, () =>
    listFrom(JSON.parse(text)).map((value) => {
      const record = recordFrom(value);
      const tags = record['RepoTags'];
      return {
        config: textFrom(record['Config']),
        layers: textsFrom(record['Layers']),
        tags: Array.isArray(tags) ? textsFrom(tags) : [],
      };
    }),
  );
  const fitting = name === undefined ? images : images.filter(({ tags }) => tags.includes(name));
  const [image] = fitting;
  if (image === undefined || fitting.length > 1)
    throw severalImages(
      files,
      name,
      images.flatMap(({ tags }) => tags),
    );
  const configFile = namedFile(files, image.config);
  const config = parseConfig(await readSmall(files, configFile), files.title);
  if (image.layers.length > MOST_LAYERS) throw malformed(files, `has more than ${MOST_LAYERS} layers`);
  const found = new Map<string, FoundLayer>();
  for (const layer of new Set(image.layers)) {
    const file = namedFile(files, layer);
    const digest = await digestOfFile(files, file, signal);
    found.set(layer, { file, descriptor: { digest, mediaType: '', size: (await stat(file)).size } });
  }
  const paths = new Map([...found.values()].map(({ file, descriptor }) => [descriptor.digest, file]));
  const descriptors = image.layers.flatMap((layer) => found.get(layer)?.descriptor ?? []);
  const source: BlobSource = {
    title: files.title,
    text: () => Promise.reject(new Error('unreachable: it has no documents by digest')),
    withFile: (descriptor, use) => use(paths.get(descriptor.digest) ?? ''),
  };
  if (config.architecture === undefined) {
    throw new RootcellarError('E_MEDIA_TYPE', `${files.title}: is for ${config.platform}`, {
      hint: 'take an image for linux/amd64 or linux/arm64',
    });
  }
  const digest = await digestOfFile(files, configFile, signal);
  return { architecture: config.architecture, digest, config, layers: offeredLayers(source, config, descriptors) };
}

function reading<T>(files: NamedFiles, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalid(files, '`manifest.json` is not as docker writes it', cause);
  }
}
