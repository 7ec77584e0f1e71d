import pMap from 'p-map';
import type { ContentSink, UnpackedArtifact } from './assemble/tree.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, shortDigest, type Digest } from './base/digest.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { FORMAT_VERSION } from './lock/lockfile.ts';
import type { PipelineContext } from './pipeline-context.ts';
import type { Layer } from './publish/apply-layers.ts';
import { layerBudget, type LayerBudget } from './publish/layer-budget.ts';
import { readNotes, unpackLayer, type LayerNotes } from './publish/layer-reader.ts';
import type { OfferedImage, OfferedLayer } from './publish/offered-image.ts';
import { openRegularFile } from './store/open-file.ts';
import { writeUnpacked } from './store/unpacked.ts';

/** A layer in the store. */
export interface UnpackedLayer {
  readonly key: Digest;
  readonly layer: Layer;
}

const AT_ONE_TIME = 3;

/**
 * Fetches and unpacks each layer, once in the life of a store. Throws E_DIGEST_MISMATCH, E_ARTIFACT_INVALID, and what fetching
 * throws.
 */
export async function unpackLayers(
  offered: OfferedImage,
  { mostUnpacked }: { readonly mostUnpacked?: ((packedBytes: number) => number) | undefined },
  context: PipelineContext,
): Promise<readonly UnpackedLayer[]> {
  const { store, progress, signal } = context;
  const step = 'download';
  const title = `${offered.layers.length} layers for ${offered.architecture}`;
  progress({ kind: 'begin', step, title, total: { items: offered.layers.length } });
  const budget = layerBudget(mostUnpacked);
  const counted = new Set<Digest>();
  let fetched = 0;
  let items = 0;
  const layers = await pMap(
    offered.layers,
    async (layer): Promise<UnpackedLayer> => {
      signal.throwIfAborted();
      const key = digestOf(canonicalJson({ format: FORMAT_VERSION, layer: layer.digest }));
      const { entries, metadata } = await writeUnpacked(store, key, async (sink) => {
        fetched += 1;
        counted.add(key);
        return layer.withFile((file) => unpackFile(file, layer, { sink, budget }));
      });
      items += 1;
      progress({ kind: 'advance', step, done: { items }, detail: layer.title });
      const notes = readNotes(metadata);
      if (!counted.has(key)) budget.present(notes.packedBytes, entries);
      counted.add(key);
      checkLayer(layer, notes);
      for (const path of notes.leftOut) {
        progress({ kind: 'warning', message: `${layer.title}: \`/${path}\` is a device or FIFO and was left out` });
      }
      return { key, layer: { title: layer.title, entries, ...notes } };
    },
    { concurrency: AT_ONE_TIME, signal },
  );
  progress({ kind: 'end', step, summary: `${title}, ${fetched} of them new` });
  return layers;
}

async function unpackFile(
  file: string,
  layer: OfferedLayer,
  { sink, budget }: { readonly sink: ContentSink; readonly budget: LayerBudget },
): Promise<UnpackedArtifact> {
  const source = await openRegularFile(file);
  if (source === undefined) throw new Error(`unreachable: \`${file}\` is no file`);
  try {
    const unpacked = await unpackLayer({
      source,
      name: `layer \`${layer.title}\``,
      sink: budget.unpacking(source.size, sink),
    });
    budget.entries(unpacked.entries.length);
    checkLayer(layer, readNotes(unpacked.metadata));
    return unpacked;
  } finally {
    await source.close();
  }
}

function checkLayer({ title, diffId }: OfferedLayer, notes: LayerNotes): void {
  if (notes.diffId === diffId) return;
  const message = `layer \`${title}\`: the image says ${shortDigest(diffId)}, unpacked it is ${shortDigest(notes.diffId)}`;
  throw new RootcellarError('E_DIGEST_MISMATCH', message, {
    hint: 'take the image from elsewhere, or have it pushed again',
  });
}
