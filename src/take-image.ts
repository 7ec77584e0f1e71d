import type { Tree } from './assemble/tree.ts';
import { textAt } from './assemble/tree-text.ts';
import { canonicalJson } from './base/canonical-json.ts';
import { digestOf, isDigest, shortDigest, type Digest } from './base/digest.ts';
import { parseImagePath } from './base/image-path.ts';
import { RootcellarError } from './base/rootcellar-error.ts';
import { FORMAT_VERSION } from './lock/lockfile.ts';
import { writeRootfs } from './pack/rootfs-writer.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { applyLayers } from './publish/apply-layers.ts';
import { DIFF_ID_LABEL } from './publish/oci-images.ts';
import type { OfferedImage } from './publish/offered-image.ts';
import { DEFAULT_SANDBOX, type SandboxSettings } from './recipe/recipe.ts';
import { checkedSandbox } from './recipe/told-sandbox.ts';
import type { Interpreter } from './resolve/resolution.ts';
import { compileFilter } from './run/filter-compiler.ts';
import { networkPolicy } from './run/network-policy.ts';
import { policyVocabulary } from './run/policy.ts';
import { openContents, type OpenContents } from './store/contents.ts';
import { manifestJson, readToldManifest, type ImageManifest, type ToldManifest } from './store/image-manifest.ts';
import type { Image } from './store/image-record.ts';
import { findByInputs } from './store/images.ts';
import { knownInterpreter } from './known-interpreter.ts';
import { knownTree } from './store/known-tree.ts';
import { putImage } from './store/put-image.ts';
import { unpackLayers } from './unpack-layers.ts';

export interface Taking {
  /** What it is to be called in the store. */
  readonly name: string;
  /** Whether programs run as the image itself says; else under the default policy. */
  readonly trustsPolicy: boolean;
  /** What layers of so many bytes may unpack to together; what any archive may unless said. */
  readonly mostUnpacked?: ((packedBytes: number) => number) | undefined;
}

export interface Taken {
  readonly image: Image;
  /** Whether the store had it already. */
  readonly isKnown: boolean;
}

/**
 * Somebody's image → a generation in the store. Each layer is fetched and unpacked once in the life of a store. An image that
 * says which tar it is together must give just that. Nothing else that it says is believed: its programs run under the default
 * policy unless `trustsPolicy`, and filters are always made here.
 * Throws E_DIGEST_MISMATCH, E_ARTIFACT_INVALID, and what fetching throws.
 */
export async function takeImage(offered: OfferedImage, taking: Taking, context: PipelineContext): Promise<Taken> {
  const { name, trustsPolicy } = taking;
  const key = digestOf(canonicalJson({ format: FORMAT_VERSION, image: offered.digest, name, trustsPolicy }));
  const existing = await findByInputs(context.store, key);
  if (existing !== undefined) return { image: existing, isKnown: true };
  const unpacked = await unpackLayers(offered, { mostUnpacked: taking.mostUnpacked }, context);
  const applied = applyLayers(unpacked.map(({ layer }) => layer));
  const unpackedKeys = [...new Set(unpacked.map(({ key: one }) => one))];
  const contents = openContents(context.store, unpackedKeys);
  try {
    const check = (diffId: Digest): void => checkIdentity(offered, diffId);
    const rootfs = await writeRootfs({
      tree: applied,
      contents,
      check,
      signal: context.signal,
      progress: context.progress,
    });
    const tree = (await knownTree(context.store, rootfs.diffId)) ?? applied;
    const manifest = manifestJson(manifestOf({ offered, tree, contents, key, taking }, context));
    const { architecture } = offered;
    const stored = { name, architecture, ...rootfs, inputsKey: key, manifest, tree, unpackedKeys };
    return { image: await putImage(context.store, stored), isKnown: false };
  } finally {
    contents.close();
  }
}

/** An image of ours says so by a label. */
function checkIdentity({ config }: OfferedImage, diffId: Digest): void {
  const promised = config.labels.get(DIFF_ID_LABEL);
  if (promised === undefined || promised === diffId) return;
  const shown = isDigest(promised) ? shortDigest(promised) : 'something that is no digest';
  throw new RootcellarError(
    'E_DIGEST_MISMATCH',
    `the image: says that it is ${shown}, its layers give ${shortDigest(diffId)}`,
    {
      hint: 'take the image from elsewhere, or have it pushed again',
    },
  );
}

interface Told {
  readonly offered: OfferedImage;
  readonly tree: Tree;
  readonly contents: OpenContents;
  readonly key: Digest;
  readonly taking: Taking;
}

function manifestOf({ offered, tree, contents, key, taking }: Told, context: PipelineContext): ImageManifest {
  const { architecture } = offered;
  const told = toldManifest(offered, tree, contents);
  const sandbox = sandboxOf(told, taking, context);
  const { program } = compileFilter(networkPolicy(sandbox, architecture), architecture);
  let newest = 0;
  for (const { mtime } of tree.values()) newest = Math.max(newest, mtime);
  return {
    name: taking.name,
    architecture,
    format: told?.format ?? FORMAT_VERSION,
    key: told?.key ?? key,
    epoch: told?.epoch ?? newest,
    interpreter: told?.interpreter === undefined ? knownInterpreter(tree) : checkedInterpreter(told.interpreter, tree),
    ...(told?.trimmed === undefined ? {} : { trimmed: told.trimmed }),
    sandbox,
    filter: Buffer.from(program).toString('base64'),
  };
}

/** Only of an image that has the identity of one of ours. */
function toldManifest(
  { config, architecture }: OfferedImage,
  tree: Tree,
  contents: OpenContents,
): ToldManifest | undefined {
  if (!config.labels.has(DIFF_ID_LABEL)) return undefined;
  const text = textAt(tree, contents, '.rootcellar/manifest.json');
  const told = text === undefined ? undefined : readToldManifest(text);
  return told?.architecture === architecture ? told : undefined;
}

/** What is told of where it is, only where it is in the image. */
function checkedInterpreter(told: Interpreter, tree: Tree): Interpreter | undefined {
  const path = told.path.startsWith('/') ? parseImagePath(told.path) : undefined;
  return path !== undefined && tree.has(path) ? { ...told, path: `/${path}` } : knownInterpreter(tree);
}

function sandboxOf(
  told: ToldManifest | undefined,
  { trustsPolicy }: Taking,
  { progress }: PipelineContext,
): SandboxSettings {
  if (told === undefined) return DEFAULT_SANDBOX;
  const own = checkedSandbox(told.sandbox, policyVocabulary());
  if (!trustsPolicy) {
    const isDefault = canonicalJson(settingsJson(told.sandbox)) === canonicalJson(settingsJson(DEFAULT_SANDBOX));
    if (!isDefault) {
      progress({
        kind: 'warning',
        message:
          'the image has sandbox settings of its own, which were not taken: its programs run by the default ones',
        hint: '--trust-policy, if you trust whoever made it',
      });
    }
    return DEFAULT_SANDBOX;
  }
  if (own !== undefined) return own;
  throw new RootcellarError('E_POLICY', 'the image: its own sandbox settings are not acceptable', {
    hint: 'leave --trust-policy out',
  });
}

function settingsJson({ syscalls, network, limits, minimumTier, proc, preimport }: SandboxSettings) {
  const plain = network === 'none' ? network : network.mode;
  return {
    syscalls: { ...syscalls },
    network: plain,
    limits: { ...limits },
    minimumTier,
    proc: proc ?? false,
    preimport: preimport ?? [],
  };
}
