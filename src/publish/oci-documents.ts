import { parseArchitecture, type Architecture } from '../base/architecture.ts';
import { isDigest, type Digest } from '../base/digest.ts';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { listFrom, numberFrom, recordFrom, textFrom } from '../store/json-shape.ts';

/* What others wrote: indexes, manifests and configurations. Source: OCI image specification 1.1; Docker's "Image Manifest V 2, Schema 2". */

export const MEDIA_TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  none: 'application/vnd.oci.image.layer.v1.tar',
} as const;

const INDEXES: ReadonlySet<string> = new Set([
  MEDIA_TYPES.index,
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFESTS: ReadonlySet<string> = new Set([
  MEDIA_TYPES.manifest,
  'application/vnd.docker.distribution.manifest.v2+json',
]);
/** What a registry is asked for. */
export const READABLE_TYPES: string = [...INDEXES, ...MANIFESTS].join(', ');

const LAYERS: ReadonlySet<string> = new Set([
  MEDIA_TYPES.none,
  MEDIA_TYPES.gzip,
  'application/vnd.oci.image.layer.v1.tar+zstd',
  'application/vnd.docker.image.rootfs.diff.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
]);

/** A blob, as documents name it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** An entry of an index. */
export interface IndexEntry extends Descriptor {
  /** Undefined for another system, or where nothing is said. */
  readonly architecture: Architecture | undefined;
  /** `v8` and the like; empty where nothing is said. */
  readonly variant: string;
  /** As the index writes it, for people. */
  readonly platform: string;
  /** `org.opencontainers.image.ref.name`. */
  readonly name: string | undefined;
}

export type OciDocument =
  | { readonly kind: 'index'; readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'manifest'; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

/** What an image says of itself. */
export interface ImageConfig {
  readonly architecture: Architecture | undefined;
  /** As it is written, for people. */
  readonly platform: string;
  readonly labels: ReadonlyMap<string, string>;
  /** Of the uncompressed layers, the lowest first. */
  readonly diffIds: readonly Digest[];
  /** What made each layer; undefined where the history does not fit the layers. */
  readonly madeBy: readonly string[] | undefined;
}

/** `mediaType`: what came with the bytes, where they do not say it themselves. Throws E_MEDIA_TYPE, E_ARTIFACT_INVALID. */
export function parseDocument(text: string, what: string, mediaType: string): OciDocument {
  return reading(what, () => {
    const record = recordFrom(JSON.parse(text));
    const type = record['mediaType'] === undefined ? mediaType : textFrom(record['mediaType']);
    if (record['schemaVersion'] !== 2) throw unreadable(what, `schema ${String(record['schemaVersion'])}`);
    if (INDEXES.has(type) || (type === '' && record['manifests'] !== undefined)) {
      return { kind: 'index', entries: listFrom(record['manifests']).map((entry) => entryFrom(entry, what)) };
    }
    if (!MANIFESTS.has(type) && type !== '') throw unreadable(what, type);
    const layers = listFrom(record['layers']).map((layer) => descriptorFrom(layer, what));
    for (const layer of layers) if (!LAYERS.has(layer.mediaType)) throw unreadable(what, layer.mediaType);
    return { kind: 'manifest', config: descriptorFrom(record['config'], what), layers };
  });
}

/** Throws E_ARTIFACT_INVALID. */
export function parseConfig(text: string, what: string): ImageConfig {
  return reading(what, () => {
    const record = recordFrom(JSON.parse(text));
    const { labels, architecture, os } = {
      labels: recordFrom(recordFrom(record['config'] ?? {})['Labels'] ?? {}),
      architecture: textFrom(record['architecture'] ?? ''),
      os: textFrom(record['os'] ?? ''),
    };
    const diffIds = listFrom(recordFrom(record['rootfs'])['diff_ids']).map((digest) => digestFrom(digest, what));
    const history = listFrom(record['history'] ?? []).map(recordFrom);
    const made = history.filter((one) => one['empty_layer'] !== true).map((one) => textFrom(one['created_by'] ?? ''));
    return {
      architecture: os === 'linux' ? parseArchitecture(architecture) : undefined,
      platform: `${os}/${architecture}`,
      labels: new Map(
        Object.entries(labels).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
      ),
      diffIds,
      madeBy: made.length === diffIds.length ? made : undefined,
    };
  });
}

/** The entry for an architecture: of several that with no variant, or with the one that all machines of it are. */
export function entryFor(entries: readonly IndexEntry[], architecture: Architecture): IndexEntry | undefined {
  const own = entries.filter((entry) => entry.architecture === architecture);
  return own.find(({ variant }) => ['', 'v1', 'v8'].includes(variant)) ?? own[0];
}

function entryFrom(value: unknown, what: string): IndexEntry {
  const record = recordFrom(value);
  const platform = recordFrom(record['platform'] ?? {});
  const os = textFrom(platform['os'] ?? '');
  const architecture = textFrom(platform['architecture'] ?? '');
  const name = recordFrom(record['annotations'] ?? {})['org.opencontainers.image.ref.name'];
  return {
    ...descriptorFrom(value, what),
    architecture: os === 'linux' ? parseArchitecture(architecture) : undefined,
    variant: textFrom(platform['variant'] ?? ''),
    platform: `${os}/${architecture}`,
    name: typeof name === 'string' ? name : undefined,
  };
}

function descriptorFrom(value: unknown, what: string): Descriptor {
  const record = recordFrom(value);
  return {
    mediaType: textFrom(record['mediaType'] ?? ''),
    digest: digestFrom(record['digest'], what),
    size: numberFrom(record['size']),
  };
}

function digestFrom(value: unknown, what: string): Digest {
  const text = textFrom(value);
  if (isDigest(text)) return text;
  const [algorithm = ''] = text.split(':');
  throw unreadable(what, `a digest by \`${algorithm.slice(0, 40)}\``);
}

function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RootcellarError) throw cause;
    const fault = cause instanceof Error ? cause.message : String(cause);
    throw new RootcellarError('E_ARTIFACT_INVALID', `${what}: cannot be read: ${fault}`, {
      hint: 'skopeo inspect --raw, or make the image again',
      cause,
    });
  }
}

function unreadable(what: string, found: string): RootcellarError {
  return new RootcellarError('E_MEDIA_TYPE', `${what}: \`${found.slice(0, 200)}\` cannot be read`, {
    hint: 'skopeo copy --format oci, which writes layers that everybody reads',
  });
}
